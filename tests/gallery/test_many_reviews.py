import pytest
from playwright.sync_api import expect
from starlette.testclient import TestClient

from chatgenimage.factory.gallery.server import build_gallery
from chatgenimage.factory.query.store import open_store
from tests import rows
from tests.gallery.test_browser import marks_of, press
from tests.gallery.test_security import ORIGIN, form_of


@pytest.fixture
def client(family):
    with open_store(family.data_dir) as store:
        yield TestClient(build_gallery(store), "http://127.0.0.1", raise_server_exceptions=False)


def send(client, **fields):
    fields["form"] = fields.get("form") or form_of(client)
    return client.post("/candidates/reviews", data=fields, headers=ORIGIN)


def test_many_are_reviewed_at_once_and_the_answer_undoes_it(client, family):
    send(client, good="1", bad="2")
    answer = send(client, bad="1,2,3")
    assert answer.json() == {"before": {"good": [1], "bad": [2], "none": [3]}}
    assert marks_of(family) == {1: False, 2: False, 3: False}
    before = {said: ",".join(map(str, ids)) for said, ids in answer.json()["before"].items()}
    send(client, **before)
    assert marks_of(family) == {1: True, 2: False}
    with family.sessions() as session:
        assert [one.is_good for one in session.get(rows.Candidate, 1).marks] == [True, False, True]


@pytest.mark.parametrize(
    ("fields", "status", "told"),
    [
        ({"good": "1,777"}, 404, "no candidate 777"),
        ({"good": "1,two"}, 400, "expected an integer from 1 to"),
        ({}, 400, "expected 1 to 500 candidates, got 0"),
        ({"good": ",".join(map(str, range(1, 502)))}, 400, "got 501; nothing was saved"),
        ({"good": "1", "form": "forged"}, 403, "reload it"),
    ],
)
def test_a_request_that_cannot_be_saved_saves_nothing(client, family, fields, status, told):
    answer = send(client, **fields)
    assert (answer.status_code, told in answer.text) == (status, True)
    assert marks_of(family) == {}


def test_selected_candidates_are_reviewed_and_restored_with_keys(open_page, gallery, family):
    page = open_page()
    page.goto(f"{gallery}/candidates?sort=id")
    for key in ("j", "j", "s", "j", "j", "S"):  # 2, 3 and 4
        press(page, key)
    expect(page.locator("#chosen-count")).to_have_text("3 selected")
    press(page, "b")
    expect(page.locator("#reviewed")).to_contain_text("3 candidates reviewed as bad.")
    assert marks_of(family) == {2: False, 3: False, 4: False}
    expect(page.locator(".card .mark")).to_have_count(3)
    press(page, "u")
    expect(page.locator(".card .mark")).to_have_count(0)
    expect(page.locator("#reviewed")).to_contain_text("The reviews of 3 candidates are as before.")
    expect(page.locator("#reviewed button")).to_be_hidden()  # there is nothing to undo now
    assert marks_of(family) == {}

    press(page, "g")  # the one that has the focus
    expect(page.locator("#reviewed")).to_contain_text("1 candidate reviewed as good.")
    assert marks_of(family) == {4: True}
    press(page, "*")
    expect(page.locator("#chosen-count")).to_have_text("6 selected")
    press(page, "Escape")
    expect(page.locator("#chosen")).to_be_hidden()
    press(page, "?")
    expect(page.get_by_role("heading", name="Shortcuts")).to_be_visible()
