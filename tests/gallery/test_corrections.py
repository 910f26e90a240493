import pytest
from playwright.sync_api import expect
from starlette.testclient import TestClient

from chatgenimage.db.models import Candidate
from chatgenimage.db.object_reviews import is_checked, objects_of
from chatgenimage.factory.gallery.server import build_gallery
from chatgenimage.factory.query.store import open_store
from tests import rows
from tests.gallery.test_browser import press
from tests.gallery.test_security import ORIGIN, form_of

FILLED = 3
"""A candidate of the family with a dog (annotation 3) and a tree (annotation 4)."""
BOX = {"x_min": "1", "y_min": "2", "x_max": "30.5", "y_max": "40"}


@pytest.fixture
def client(family):
    with open_store(family.data_dir) as store:
        yield TestClient(
            build_gallery(store),
            "http://127.0.0.1",
            follow_redirects=False,
            raise_server_exceptions=False,
        )


def send(client, **fields):
    fields["form"] = fields.get("form") or form_of(client)
    return client.post(f"/candidates/{FILLED}/objects", data=fields, headers=ORIGIN)


def shown(family):
    with family.sessions() as session:
        return {one.key: (one.label, one.box_xyxy) for one in of(session)}


def of(session):
    return objects_of(session.get(Candidate, FILLED))


def test_objects_are_corrected_and_the_page_shows_it_with_its_history(client, family):
    answers = [
        send(client, action="save", object="a3", label="wolf"),
        send(client, action="save", object="new", label="<b>fox</b>", **BOX),
        send(client, action="delete", object="a4", edit="on", search="?run=1"),
        send(client, action="check", search="//evil.example?run=1"),
    ]
    assert [answer.headers["location"] for answer in answers] == [
        "/candidates/3",
        "/candidates/3",
        "/candidates/3?run=1#editing",
        "/candidates/4",
    ]
    fox = ("<b>fox</b>", (1.0, 2.0, 30.5, 40.0))
    assert shown(family) == {"a3": ("wolf", rows.DOG_BOX), "r2": fox}
    text = client.get("/candidates/3").text
    for told in ("wolf", "&lt;b&gt;fox", "Corrections of objects (4)", "objects checked"):
        assert told in text
    assert "<b>fox" not in text
    assert "wolf" in client.get("/candidates").text
    send(client, action="undo")
    send(client, action="undo")
    assert list(shown(family)) == ["a3", "a4", "r2"]


@pytest.mark.parametrize(
    ("fields", "status", "told"),
    [
        ({"action": "save", "object": "a3", "form": "forged"}, 403, "reload it"),
        ({"action": "paint"}, 400, "must be one of save, delete, check, undo"),
        ({"action": "undo"}, 400, "no change of an object to undo"),
        ({"action": "delete", "object": "a1"}, 404, "no object"),
        ({"action": "save", "label": "fox"}, 400, "no box"),
        ({"action": "save", **BOX}, 400, "no label"),
        ({"action": "save", "label": "fox", "x_min": "1"}, 400, "all four sides"),
        ({"action": "save", "label": "fox", **BOX, "x_min": "left"}, 400, "is not a number"),
        ({"action": "save", "label": "fox", **BOX, "x_max": "1.5"}, 400, "less than one pixel"),
    ],
)
def test_a_correction_that_makes_no_sense_is_refused(client, family, fields, status, told):
    before, answer = shown(family), send(client, **fields)
    assert (answer.status_code, told in answer.text) == (status, True)
    assert shown(family) == before


def test_another_site_cannot_correct_objects(client, family):
    fields = {"action": "delete", "object": "a3", "form": form_of(client)}
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = client.post(f"/candidates/{FILLED}/objects", data=fields, headers=headers)
        assert answer.status_code == 403
    assert list(shown(family)) == ["a3", "a4"]


def test_objects_are_corrected_by_keys_alone(open_page, gallery, family):
    page = open_page()
    page.goto(f"{gallery}/candidates/{FILLED}")
    for key in ("e", "o", "t"):
        press(page, key)
    page.keyboard.type("s")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Corrections of objects (1)")).to_be_visible()
    for key in ("o", "ArrowRight", "Shift+ArrowDown", "Enter"):
        press(page, key)
    expect(page.get_by_text("Corrections of objects (2)")).to_be_visible()
    x_min, y_min, x_max, y_max = rows.DOG_BOX
    moved = ("dogs", (x_min + 1, y_min, x_max + 1, y_max + 1))
    assert shown(family)["a3"] == moved
    for key in ("o", "o", "Delete"):
        press(page, key)
    expect(page.get_by_text("Corrections of objects (3)")).to_be_visible()
    assert shown(family) == {"a3": moved}
    press(page, "z")
    expect(page.get_by_text("Corrections of objects (4)")).to_be_visible()
    assert list(shown(family)) == ["a3", "a4"]
    for key in ("n", "t"):
        press(page, key)
    page.get_by_label("Label", exact=True).fill("fox")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Corrections of objects (5)")).to_be_visible()
    assert shown(family)["r5"][0] == "fox"
    press(page, "c")
    page.wait_for_url("**/candidates/4#editing")
    with family.sessions() as session:
        assert is_checked(session.get(Candidate, FILLED))
    press(page, "Escape")
    expect(page.get_by_label("Correction of an object")).to_be_hidden()


def test_enter_without_an_object_says_what_is_missing_and_stays_on_the_page(open_page, gallery):
    page = open_page()
    page.goto(f"{gallery}/candidates/{FILLED}#editing")
    press(page, "Enter")
    expect(page.get_by_text("draw a box on the image, or choose an object")).to_be_visible()
    for key in ("n", "Enter"):
        press(page, key)
    expect(page.get_by_text("type the class of the object")).to_be_visible()
    page.keyboard.type("fox")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Corrections of objects (1)")).to_be_visible()


def test_a_box_is_drawn_and_another_one_dragged_on_a_phone(open_page, gallery, family):
    page = open_page(viewport={"width": 360, "height": 740})
    page.goto(f"{gallery}/candidates/{FILLED}#editing")
    image = page.locator("#viewer .picture").bounding_box()
    scale = image["width"] / rows.SIZE_PX

    def drag(start, end):
        page.wait_for_load_state()
        page.mouse.move(image["x"] + scale * start[0], image["y"] + scale * start[1])
        page.mouse.down()
        page.mouse.move(image["x"] + scale * end[0], image["y"] + scale * end[1])
        page.mouse.up()

    drag((32, 2), (62, 10))
    page.keyboard.type("kite")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Corrections of objects (1)")).to_be_attached()
    drag((48, 30), (44, 30))  # the tree
    expect(page.get_by_label("Label", exact=True)).to_have_value("tree")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Corrections of objects (2)")).to_be_attached()
    found = shown(family)
    assert found["r1"][0] == "kite"
    assert found["r1"][1] == pytest.approx((32, 2, 62, 10), abs=0.5)
    assert found["a4"][1] == pytest.approx([34, 12, 54, 50], abs=0.5)
