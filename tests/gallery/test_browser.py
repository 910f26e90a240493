import re

from playwright.sync_api import expect
from pydantic import SecretStr

from tests import rows
from tests.gallery.conftest import candidate_of, served

TOKEN = "a token that nobody guesses"


def marks_of(place):
    with place.sessions() as session:
        return rows.marks(session)


def press(page, key):
    """Press a key once the page's script is loaded."""
    page.wait_for_load_state()
    page.keyboard.press(key)


def test_candidates_are_reviewed_with_keys(open_page, gallery, family):
    page = open_page()
    page.goto(gallery)
    page.get_by_role("link", name="Run 1").click()
    expect(page.get_by_role("heading", name="Run 1")).to_be_visible()
    page.get_by_role("link", name="See accepted candidates").click()
    expect(page.get_by_role("heading", name="6 candidates")).to_be_visible()
    page.get_by_role("link", name="a dog on grass").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("dog")
    root, edited = candidate_of(family, "dog", "b0/g0"), candidate_of(family, "dog", "b0/g0/e0")

    press(page, "g")
    expect(page.get_by_role("status")).to_contain_text(f"Candidate {root.id} is reviewed as good")
    expect(page).to_have_url(re.compile(f"/candidates/{edited.id}\\?"))
    assert marks_of(family) == {root.id: True}

    press(page, "b")
    expect(page.get_by_role("status")).to_contain_text(f"Candidate {edited.id} is reviewed as bad")
    assert marks_of(family) == {root.id: True, edited.id: False}

    press(page, "u")
    expect(page).to_have_url(re.compile(f"/candidates/{edited.id}\\?"))
    assert marks_of(family) == {root.id: True}


def test_a_filter_selects_candidates_and_is_in_the_url(open_page, gallery):
    page = open_page()
    page.goto(f"{gallery}/candidates")
    expect(page.get_by_role("heading", name="6 candidates")).to_be_visible()
    page.get_by_label("Origin").select_option("filled")
    expect(page.get_by_role("heading", name="2 candidates")).to_be_visible()
    page.get_by_label("Words in the caption").fill("house")
    expect(page.get_by_role("heading", name="1 candidate")).to_be_visible()
    expect(page).to_have_url(f"{gallery}/candidates?caption=house&origin=filled")
    page.reload()
    expect(page.get_by_role("heading", name="1 candidate")).to_be_visible()
    expect(page.get_by_label("Origin")).to_have_value("filled")


def test_repeats_rounds_and_the_number_of_objects_are_filters(open_page, gallery, family):
    better = candidate_of(family, "dog", "b0/g0")
    with family.sessions.begin() as session:
        repeat = session.merge(candidate_of(family, "house", "b0/g0"))
        repeat.verdict, repeat.reason = "rejected", "near_duplicate"
        repeat.duplicate_of_id = better.id
    page = open_page()
    page.goto(f"{gallery}/candidates")
    page.get_by_role("spinbutton", name="Round").fill("1")
    page.keyboard.press("Tab")
    expect(page.get_by_role("heading", name="4 candidates")).to_be_visible()
    page.get_by_role("group", name="Number of objects").get_by_label("from").fill("2")
    page.keyboard.press("Tab")
    expect(page.get_by_role("heading", name="2 candidates")).to_be_visible()
    page.goto(f"{gallery}/candidates/{better.id}")
    page.get_by_role("link", name=f"All near-duplicates of {better.id}").click()
    expect(page.get_by_role("heading", name="1 candidate")).to_be_visible()
    expect(page.get_by_label("Duplicates of")).to_have_value(str(better.id))
    expect(page.locator(".card")).to_contain_text(f"near duplicate of {better.id}")


def test_boxes_over_the_list_are_hidden_and_the_order_is_chosen(open_page, gallery, family):
    page = open_page()
    page.goto(f"{gallery}/candidates")
    expect(page.locator(".card .box")).to_have_count(8)
    expect(page.locator(".card .tag").first).to_be_visible()
    press(page, "x")
    page.get_by_label("Sort by").select_option("newest first")
    newest = page.locator(".card a").first
    expect(newest).to_have_attribute("href", "/candidates/6?sort=id%3Adesc")
    expect(page.locator(".card .box").first).to_be_hidden()
    expect(page.locator(".card .tag").first).to_be_visible()
    page.reload()
    expect(page.locator(".card .box").first).to_be_hidden()
    newest.click()
    page.wait_for_url("**/candidates/6?sort=id%3Adesc")
    press(page, "j")
    page.wait_for_url("**/candidates/5?sort=id%3Adesc")


def test_a_browser_with_the_token_can_see_and_review(open_page, family):
    with served(family.data_dir, SecretStr(TOKEN)) as address:
        page = open_page(expects=["401"])
        page.goto(f"{address}/candidates/2?run=1")
        for typed in ("not the right one", TOKEN):
            page.get_by_label("Token").fill(typed)
            with page.expect_navigation():
                page.get_by_role("button", name="Open").click()
        page.wait_for_url("**/candidates/2?run=1")
        press(page, "g")
        expect(page.get_by_role("status")).to_contain_text("Candidate 2 is reviewed as good")
        assert marks_of(family) == {2: True}
        assert page.evaluate("document.cookie") == ""
        stranger = open_page(expects=["401"])
        stranger.goto(page.url)
        expect(stranger.get_by_label("Token")).to_be_visible()
        assert "dog" not in stranger.content()


def test_masks_and_objects_are_shown_and_hidden(open_page, gallery, family):
    filled = candidate_of(family, "dog", "b0/g0/e0/f0")
    page = open_page()
    page.goto(f"{gallery}/candidates/{filled.id}")
    masks, boxes = page.locator(".mask"), page.locator(".box")
    expect(masks.first).to_be_visible()
    press(page, "m")
    expect(masks.first).to_be_hidden()
    expect(boxes.first).to_be_visible()
    press(page, "j")
    page.wait_for_url(lambda url: not url.endswith(str(filled.id)))
    expect(page.locator(".box").first).to_be_visible()
    expect(page.locator(".mask").first).to_be_hidden()
    page.go_back()
    page.get_by_role("checkbox", name=re.compile("^tree")).uncheck()
    expect(page.locator(".box:visible")).to_have_count(1)
