import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from pydantic import SecretStr

from tests import rows
from tests.gallery.conftest import candidate_of, served

PAGES = [
    "/runs",
    "/runs/1",
    "/candidates",
    "/candidates?origin=filled",
    "/candidates/3",
    "/candidates/3#editing",
]
PHONE = {"viewport": {"width": 360, "height": 740}}
FOCUSED = """(() => {
    const one = document.activeElement;
    return [one.name || one.innerText, getComputedStyle(one).outlineStyle];
})()"""
LABEL = "<script>document.title = 'caught'</script>" + "x" * 120


@pytest.fixture
def strange(sqlite_place):
    """The gallery of a run whose label is a long script."""
    with sqlite_place.sessions.begin() as session:
        run = rows.add_run(session, [LABEL], state="done")
        rows.add_family(sqlite_place, session, rows.batch_of(session, run))
    with served(sqlite_place.data_dir) as address:
        yield address


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_have_no_serious_accessibility_violations(open_page, gallery, scheme):
    page = open_page(color_scheme=scheme)
    for path in PAGES:
        page.goto(gallery + path)
        assert_nothing_is_in_the_way(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_of_an_active_run_and_the_token_have_none_either(open_page, sqlite_place, scheme):
    with sqlite_place.sessions.begin() as session:
        batch = rows.batch_of(session, rows.add_run(session, ["dog"]))
        step = rows.add_steps(session, batch, done=1)[1]
        step.state, step.owner, step.started_at = "running", "diffusion@box#7/1", 1.0
        rows.add_item(session, step, 1, "quarantined", error="Traceback\nOutOfMemory: too big")
    for token in (None, SecretStr("a token that nobody guesses")):
        with served(sqlite_place.data_dir, token) as address:
            page = open_page(expects=["401"], color_scheme=scheme)
            page.goto(f"{address}/runs/1")
            assert_nothing_is_in_the_way(page)
            page.close()  # it asks the server for news


def assert_nothing_is_in_the_way(page):
    found = Axe().run(page).response["violations"]
    told = [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]
    assert told == [], page.url


@pytest.mark.parametrize("path", PAGES)
def test_a_phone_scrolls_only_vertically(open_page, strange, path):
    page = open_page(**PHONE)
    page.goto(strange + path)
    page.wait_for_load_state("networkidle")
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0


@pytest.mark.parametrize("width", [320, 390, 800, 1280])
def test_labels_of_boxes_in_the_list_are_inside_their_image(open_page, sqlite_place, width):
    found = [
        ("a very long object name indeed", "blue", (10.0, 10.0, 20.0, 20.0)),
        ("dog", "brown", (4.0, 4.0, 44.0, 44.0)),
        ("wooden_helicopter", "red", (34.0, 30.0, 50.0, 44.0)),
        ("wooden_pumpkin", "red", (44.0, 50.0, 47.0, 54.0)),
    ]
    with sqlite_place.sessions.begin() as session:
        batch = rows.batch_of(session, rows.add_run(session, ["dog"]))
        rows.add_candidate(sqlite_place, session, batch, found)
    with served(sqlite_place.data_dir) as address:
        page = open_page(viewport={"width": width, "height": 740})
        page.goto(f"{address}/candidates")
        stage = page.locator(".card .stage").bounding_box()
        tags = [tag.bounding_box() for tag in page.locator(".card .tag rect").all()]
    assert len(tags) == len(found)
    for tag in tags:
        assert tag["y"] >= stage["y"]
        assert tag["x"] >= stage["x"]
        assert tag["x"] + tag["width"] <= stage["x"] + stage["width"]


def test_a_label_is_never_executed(open_page, strange):
    page = open_page()
    for path in PAGES:
        page.goto(strange + path)
        expect(page).to_have_title(re.compile("Gallery$"))
        expect(page.get_by_text("<script>document.title").first).to_be_attached()


def test_the_dark_page_is_dark(open_page, gallery):
    seen = {}
    for scheme in ("light", "dark"):
        page = open_page(color_scheme=scheme)
        page.goto(gallery)
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        seen[scheme] = sum(map(int, re.findall(r"\d+", colour)[:3])) / 3
    assert seen["dark"] < 60
    assert seen["light"] > 200


def test_on_a_phone_the_buttons_to_judge_with_are_always_in_sight(open_page, gallery):
    page = open_page(**PHONE)
    page.goto(f"{gallery}/candidates/3")
    expect(page.get_by_role("button", name="Good")).to_be_in_viewport()
    page.mouse.wheel(0, 2000)
    expect(page.get_by_role("button", name="Good")).to_be_in_viewport()


def test_a_small_image_is_scaled_up_pixel_by_pixel(open_page, gallery):
    page = open_page()
    page.goto(f"{gallery}/candidates/3")
    image = page.locator("#viewer .picture")
    assert image.bounding_box()["width"] > 400
    assert image.evaluate("one => getComputedStyle(one).imageRendering") == "pixelated"


def test_every_control_is_reachable_with_tab(open_page, gallery):
    page = open_page()
    page.goto(f"{gallery}/candidates?verdict=accepted")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    seen = []
    while len(seen) < 50 and "a dog on grass" not in "".join(seen):
        page.keyboard.press("Tab")
        name, outline = page.evaluate(FOCUSED)
        seen.append(name)
        assert outline != "none", f"nobody sees that {name!r} has the focus"
    assert [name for name in seen if name in {"label", "verdict", "caption", "Show"}] == [
        "label",
        "verdict",
        "caption",
        "Show",
    ]
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("dog")


def test_the_slider_uncovers_the_parent(open_page, gallery, family):
    filled = candidate_of(family, "dog", "b0/g0/e0/f0")
    page = open_page()
    page.goto(f"{gallery}/candidates/{filled.id}")
    before = page.locator(".compare .before")
    shown = "one => getComputedStyle(one).clipPath"
    half = before.evaluate(shown)
    page.get_by_role("slider").focus()
    page.keyboard.press("End")
    assert before.evaluate(shown) != half
    expect(before).to_have_attribute("alt", "Before: a dog on a beach")


def test_keys_can_be_turned_off(open_page, gallery):
    page = open_page()
    page.goto(f"{gallery}/candidates/2")
    page.wait_for_load_state()
    page.keyboard.press("?")
    page.get_by_label("Enable single-key shortcuts").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("m")
    expect(page.locator(".mask").first).to_be_visible()
    assert page.url.endswith("/candidates/2")
