import re

from playwright.sync_api import expect

from db.marks import current_marks
from tests.gallery.conftest import candidate_of


def marks_of(place):
    with place.sessions() as session:
        return current_marks(session, range(1, 100))


def press(page, key):
    """Press a key once the page hears it."""
    page.wait_for_load_state()
    page.keyboard.press(key)


def test_a_person_goes_from_the_runs_to_a_candidate_and_judges_it_by_keys(
    open_page, gallery, family
):
    page = open_page()
    page.goto(gallery)
    page.get_by_role("link", name="Run 1").click()
    expect(page.get_by_role("heading", name="Run 1")).to_be_visible()
    page.get_by_role("link", name="See the accepted").click()
    expect(page.get_by_role("heading", name="6 candidates")).to_be_visible()
    page.get_by_role("link", name="a dog on grass").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("dog")
    root, edited = candidate_of(family, "dog", "b0/g0"), candidate_of(family, "dog", "b0/g0/e0")

    press(page, "g")
    expect(page.get_by_role("status")).to_contain_text(f"Candidate {root.id} is marked good")
    expect(page).to_have_url(re.compile(f"/candidates/{edited.id}\\?"))
    assert marks_of(family) == {root.id: True}

    press(page, "b")
    expect(page.get_by_role("status")).to_contain_text(f"Candidate {edited.id} is marked bad")
    assert marks_of(family) == {root.id: True, edited.id: False}

    press(page, "u")
    expect(page).to_have_url(re.compile(f"/candidates/{edited.id}\\?"))
    assert marks_of(family) == {root.id: True}


def test_a_filter_shows_what_it_asks_for_and_stands_in_the_address(open_page, gallery):
    page = open_page()
    page.goto(f"{gallery}/candidates")
    expect(page.get_by_role("heading", name="6 candidates")).to_be_visible()
    page.get_by_label("Origin").select_option("filled")
    expect(page.get_by_role("heading", name="2 candidates")).to_be_visible()
    page.get_by_label("Words of the caption").fill("house")
    expect(page.get_by_role("heading", name="1 candidate")).to_be_visible()
    expect(page).to_have_url(f"{gallery}/candidates?caption=house&origin=filled")
    page.reload()
    expect(page.get_by_role("heading", name="1 candidate")).to_be_visible()
    expect(page.get_by_label("Origin")).to_have_value("filled")


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
