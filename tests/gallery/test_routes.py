import re

import pytest
from sqlalchemy import update
from starlette.testclient import TestClient

from chatgenimage.db.models import Candidate, Run, Step
from chatgenimage.db.session import engine_of
from chatgenimage.factory.gallery.server import build_gallery
from chatgenimage.factory.query.filters import ORDERS
from chatgenimage.factory.query.store import open_store
from tests import rows
from tests.gallery.conftest import candidate_of


@pytest.fixture
def client(family):
    with open_store(family.data_dir) as store:
        yield TestClient(build_gallery(store), "http://127.0.0.1", raise_server_exceptions=False)


@pytest.mark.parametrize(
    "path", ["/", "/runs", "/runs/1", "/candidates", "/candidates/1", "/candidates/3?run=1"]
)
def test_a_page_answers(client, path):
    answer = client.get(path)
    assert answer.status_code == 200
    assert "Gallery" in answer.text


def test_the_page_of_a_run_names_the_command_that_starts_a_worker(client, family):
    with family.sessions.begin() as session:
        rows.add_steps(session, rows.batch_of(session, session.get_one(Run, 1)))
        session.execute(update(Step).values(queue="language"))
        session.get_one(Run, 1).state = "active"
    page = client.get("/runs/1").text
    assert "no worker serves `language`" in page
    assert "factory worker all" in page


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/runs/7", 404, "no run 7; the latest is 1"),
        ("/candidates/777", 404, "no candidate 777"),
        ("/candidates/99999999999", 404, "See the runs"),
        ("/nothing", 404, "See the runs"),
        ("/candidates?verdict=perhaps", 400, "there are: accepted, rejected"),
        ("/candidates?run=one", 400, "expected an integer from 1 to"),
        (f"/candidates?run={'9' * 5000}", 400, "expected an integer from 1 to"),
        ("/candidates?run=0", 400, "expected an integer from 1 to"),
        ("/candidates?round=-1", 400, "expected an integer from 0 to"),
        ("/candidates?score=clip_similarity&min=much", 400, "expected one such as 0.25"),
        (f"/candidates?object={'a,' * 3000}", 400, "20 at most"),
        (f"/candidates?caption={'a+' * 3000}", 400, "20 at most"),
        ("/candidates?score=beauty", 400, "no score is called"),
        ("/candidates?sort=beauty", 400, "no order is called"),
        ("/candidates?sort=objcts", 400, "did you mean &#39;objects&#39;"),
        ("/candidates?sort=id:up", 400, "there are: asc, desc"),
        ("/candidates?min_area=wide", 400, "expected one such as 0.25"),
        ("/candidates?sort=id:desc&after=777", 404, "no candidate 777"),
        ("/candidates?after=777", 404, "no candidate 777"),
    ],
)
def test_an_error_page_says_why(client, path, status, told):
    answer = client.get(path)
    assert answer.status_code == status
    assert told in answer.text


def test_python_and_the_gallery_have_the_same_orders(client, family):
    for order in ORDERS:
        for sort in (order, f"{order}:desc"):
            with open_store(family.data_dir) as store:
                ids = [row.id for row in store.candidates(sort=sort)]
            text = client.get("/candidates", params={"sort": sort}).text
            assert [int(one) for one in re.findall(r'class="pick".*value="(\d+)"', text)] == ids


def test_the_page_of_a_run_without_images_says_so(sqlite_place):
    with sqlite_place.sessions.begin() as session:
        rows.add_run(session, ["dog"])
    with open_store(sqlite_place.data_dir) as store:
        text = TestClient(build_gallery(store), "http://127.0.0.1").get("/runs/1").text
    assert "No step has begun." in text
    assert "No image yet." in text
    assert "rejected, by reason" not in text


def test_pages_list_labels_as_submitted_or_sorted(sqlite_place):
    names = ["zebra", "apple", "moon"]
    with sqlite_place.sessions.begin() as session:
        run = rows.add_run(session, names)
        for batch, verdict in zip(rows.batches_of(session, run), (None, "accepted"), strict=False):
            rows.add_candidate(sqlite_place, session, batch, verdict=verdict)
    with open_store(sqlite_place.data_dir) as store:
        client = TestClient(build_gallery(store), "http://127.0.0.1")

        def labels(address):
            return re.findall(r'id="label-\d+"[^>]*>(\w+)<', client.get(address).text)

        assert "zebra, apple, moon" in client.get("/runs").text
        assert labels("/runs/1") == names
        assert labels("/runs/1?sort=name") == sorted(names)
        assert labels("/runs/1?sort=accepted") == ["zebra", "moon", "apple"]
        assert 'hx-get="/runs/1?sort=name"' in client.get("/runs/1?sort=name").text
        refused = client.get("/runs/1?sort=nam")
    assert (refused.status_code, "did you mean &#39;name&#39;" in refused.text) == (400, True)


def test_a_nul_byte_in_a_filter_is_ignored(client):
    assert "6 candidates" in client.get("/candidates?label=%00").text


def test_a_negative_prompt_is_next_to_the_prompt(client, family):
    with family.sessions.begin() as session:
        made = session.get_one(Candidate, candidate_of(family, "dog", "b0/g0").id)
        assert "negative prompt" not in client.get(f"/candidates/{made.id}").text
        made.model = {**made.model, "settings": {"label_negative_prompt": "<snow>"}}
    page = client.get(f"/candidates/{made.id}").text
    assert "<dt>negative prompt</dt><dd>&lt;snow&gt;</dd>" in page


def test_an_image_is_sent_as_it_is_stored(client, family):
    candidate = candidate_of(family, "dog", "b0/g0")
    answer = client.get(f"/images/{candidate.sha256}.png")
    assert answer.content == family.images.read_bytes(candidate.sha256)
    assert answer.headers["content-type"] == "image/png"


def test_a_missing_or_damaged_image_says_so_and_the_page_still_works(client, family):
    gone, damaged = (candidate_of(family, "dog", key) for key in ("b0/g0", "b0/g0/e0"))
    place = family.data_dir / "images"
    next(place.rglob(f"{gone.sha256}.png")).unlink()
    next(place.rglob(f"{damaged.sha256}.png")).write_bytes(b"no image")
    for candidate, told in ((gone, "file missing"), (damaged, "file damaged")):
        for address in (f"/images/{candidate.sha256}.png", f"/thumbnails/{candidate.sha256}.webp"):
            answer = client.get(address)
            assert (answer.status_code, told in answer.text) == (404, True)
        assert client.get(f"/candidates/{candidate.id}").status_code == 200


def test_a_label_is_escaped_on_every_page(sqlite_place):
    label = "<script>alert(1)</script>"
    with sqlite_place.sessions.begin() as session:
        run = rows.add_run(session, [label], state="done")
        rows.add_family(sqlite_place, session, rows.batch_of(session, run))
    with open_store(sqlite_place.data_dir) as store:
        client = TestClient(build_gallery(store), "http://127.0.0.1")
        for path in ("/runs", "/runs/1", "/candidates", "/candidates/3"):
            text = client.get(path).text
            assert "&lt;script&gt;alert" in text
            assert "<script>alert" not in text


def test_a_database_error_is_a_page_and_the_server_continues(family):
    with open_store(family.data_dir) as store:
        client = TestClient(build_gallery(store), "http://127.0.0.1")
        file = family.data_dir / "factory.sqlite3"
        away = file.rename(family.data_dir / "away")
        engine_of(store.sessions).dispose()
        answer = client.get("/runs")
        assert (answer.status_code, "database does not answer" in answer.text) == (503, True)
        engine_of(store.sessions).dispose()
        away.replace(file)
        for left in family.data_dir.glob("factory.sqlite3-*"):
            left.unlink()
        assert client.get("/runs").status_code == 200


def test_an_active_run_shows_its_workers_and_failures(sqlite_place):
    with sqlite_place.sessions.begin() as session:
        batch = rows.batch_of(session, rows.add_run(session, ["dog"]))
        steps = rows.add_steps(session, batch, done=1)
        steps[1].state, steps[1].owner, steps[1].started_at = "running", "diffusion@box#7/1", 1.0
        for verdict in ("accepted", "rejected", None):
            rows.add_candidate(sqlite_place, session, batch, verdict=verdict)
        rows.add_item(session, steps[1], 1, "ready", error="Traceback\nOutOfMemory: <b>too big")
    with open_store(sqlite_place.data_dir) as store:
        text = TestClient(build_gallery(store), "http://127.0.0.1").get("/runs/1").text
    assert "<dt>time left, about</dt><dd>—</dd>" in text
    assert "<dt>acceptance</dt><dd>50%</dd>" in text  # of the judged candidates
    assert "generate · dog · batch 0 · round 0" in text
    assert "failed, will be retried: generate" in text
    assert "OutOfMemory: &lt;b&gt;too big" in text


def test_a_run_s_page_says_what_went_wrong_only_if_something_did(sqlite_place):
    with sqlite_place.sessions.begin() as session:
        run = rows.add_run(session, ["dog", "house"], state="done")
        dog, house = rows.batches_of(session, run)
        rows.add_family(sqlite_place, session, dog)
        steps = rows.add_steps(session, house)
    with open_store(sqlite_place.data_dir) as store:
        client = TestClient(build_gallery(store), "http://127.0.0.1")
        with sqlite_place.sessions.begin() as session:
            fine = rows.add_run(session, ["dog"], state="done")
            rows.add_family(sqlite_place, session, rows.batch_of(session, fine))
            trace = "Traceback\nValueError: <b>no key"
            rows.add_item(session, steps[0], house.id, "quarantined", trace)
        text = client.get("/runs/1").text
        assert "What went wrong" not in client.get("/runs/2").text
    assert "What went wrong" in text
    assert "1 brainstorm: ValueError: &lt;b&gt;no key (e.g. house" in text
    assert "1 label has no candidate: house" in text
