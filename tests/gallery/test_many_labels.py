"""The page of a run and `factory status` of a run with very many labels."""

import time

import pytest
from sqlalchemy import insert
from starlette.testclient import TestClient
from typer.testing import CliRunner

from chatgenimage.db.models import Label
from chatgenimage.factory.cli import app
from chatgenimage.factory.gallery.pages import SHOWN_LABELS
from chatgenimage.factory.gallery.server import build_gallery
from chatgenimage.factory.query.store import open_store
from tests import rows

COUNT = 20_000
MOST_S = 1.0
"""Of a processor; 0.1 s is usual, and 2 s if each label is read."""


@pytest.fixture
def many(sqlite_place):
    with sqlite_place.sessions.begin() as session:
        run = rows.add_run(session, [f"label {number}" for number in range(SHOWN_LABELS + 5)])
        for batch in rows.batches_of(session, run):
            rows.add_candidate(sqlite_place, session, batch)
        same = {"run_id": run.id, "mode": "scene", "per_label": 1}
        more = [{"name": f"other {number}"} | same for number in range(COUNT)]
        session.execute(insert(Label), more)
    return sqlite_place


def test_the_page_of_a_run_shows_the_first_labels_and_counts_the_rest(many):
    with open_store(many.data_dir) as store:
        page = TestClient(build_gallery(store), base_url="http://127.0.0.1").get("/runs/1").text
    assert page.count('id="label-') == SHOWN_LABELS
    assert f"And {COUNT + 5:,} more labels" in page
    assert f"{COUNT + SHOWN_LABELS + 5:,}" in page


def test_neither_page_nor_status_takes_long(many):
    with open_store(many.data_dir) as store:
        client = TestClient(build_gallery(store), base_url="http://127.0.0.1")
        assert client.get("/runs/1").status_code == 200  # warms up
        started = time.process_time()
        client.get("/runs/1")
        page_s = time.process_time() - started
    started = time.process_time()
    shown = CliRunner().invoke(app, ["status", "1", "--data-dir", str(many.data_dir)])
    assert shown.exit_code == 0
    assert f"all {COUNT + SHOWN_LABELS + 5} labels" in shown.output
    assert page_s < MOST_S
    assert time.process_time() - started < MOST_S
