import re

import pytest
from playwright.sync_api import expect
from starlette.testclient import TestClient

from chatgenimage.factory.gallery.server import build_gallery
from chatgenimage.factory.query.store import open_store
from tests import rows
from tests.gallery.conftest import served
from tests.gallery.test_browser import press

EMBEDDINGS = [(1.0, 0.0), (0.0, 1.0), (0.96, 0.28), (0.6, 0.8), None]


@pytest.fixture
def alike(sqlite_place):
    """Five candidates; number 3 looks most like 1, then 4, then 2; number 5 has no embedding."""
    with sqlite_place.sessions.begin() as session:
        batch = rows.batch_of(session, rows.add_run(session, ["dog"], state="done"))
        other = rows.batch_of(session, rows.add_run(session, ["dog"], state="done"))
        for embedding in EMBEDDINGS:
            added = rows.add_candidate(sqlite_place, session, batch)
            if embedding:
                rows.add_fingerprint(session, added, embedding=embedding)
        session.get(rows.Candidate, 2).verdict = "rejected"
        rows.add_fingerprint(session, rows.add_candidate(sqlite_place, session, other))
    return sqlite_place


@pytest.fixture
def client(alike):
    with open_store(alike.data_dir) as store:
        yield TestClient(build_gallery(store), "http://127.0.0.1", raise_server_exceptions=False)


def shown(text):
    """Return the candidates of a list with their similarity."""
    found = re.findall(r'aria-label="Select candidate (\d+)"|title="similarity">([\d.-]+)', text)
    numbers = [candidate or similarity for candidate, similarity in found]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def test_candidates_of_the_run_are_listed_by_similarity(client):
    expected = [("1", "1.000"), ("3", "0.960"), ("4", "0.600"), ("2", "0.000")]
    assert shown(client.get("/candidates?like=1").text) == expected
    accepted = client.get("/candidates?like=1&verdict=accepted").text
    assert shown(accepted) == expected[:3]


@pytest.mark.parametrize("candidate", [5, 777])
def test_a_candidate_without_an_embedding_has_none_that_look_like_it(client, candidate):
    answer = client.get(f"/candidates?like={candidate}")
    assert (answer.status_code, "with an embedding" in answer.text) == (404, True)


def test_similar_ones_are_found_and_walked_through_with_keys(open_page, alike):
    with served(alike.data_dir) as address:
        page = open_page()
        page.goto(f"{address}/candidates/1")
        press(page, "f")
        expect(page.get_by_role("heading", level=1)).to_have_text("4 similar candidates")
        for key in ("j", "Enter"):
            press(page, key)
        page.wait_for_url("**/candidates/1?like=1")
        for expected in (3, 4):
            press(page, "j")
            page.wait_for_url(f"**/candidates/{expected}?like=1")
        press(page, "k")
        page.wait_for_url("**/candidates/3?like=1")
