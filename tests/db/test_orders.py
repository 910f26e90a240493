"""Order of lists: it does not depend on the order in which a database returns its rows.

SQLite returns unordered rows backwards in all tests (`tests/conftest.py`).
"""

import pytest
from sqlalchemy import select

from chatgenimage.db import pagination
from chatgenimage.db.consistency import find_disagreement
from chatgenimage.db.exporting import count_objects
from chatgenimage.db.metrics import count_steps
from chatgenimage.db.models import Step
from chatgenimage.db.queries import CandidateFilter
from chatgenimage.db.run_completion import list_active
from chatgenimage.db.run_problems import find_problems
from chatgenimage.db.run_progress import overview
from chatgenimage.db.runs import count_funnel
from chatgenimage.db.waits import count_current_steps, list_waits
from tests import rows

LABELS = ("dog", "house", "tree", "cat")
AT_ONCE = -1.0


@pytest.fixture
def run(place):
    """A run in which the first batches of the labels are at different steps of the chain."""
    with place.sessions.begin() as session:
        run = rows.add_run(session, LABELS)
        for done, batch in enumerate(rows.batches_of(session, run)):
            for step in rows.add_steps(session, batch, done=done):
                rows.add_item(session, step, batch.id)
    return run


def test_steps_are_in_the_order_of_the_chain(place, run):
    with place.sessions() as session:
        each, total = overview(session, run.id), overview(session, run.id, by_label=False)
        assert [(one.label, one.step) for one in each.steps] == [
            (label, step) for label in LABELS for step in rows.CHAIN
        ]
        assert [one.step for one in total.steps] == list(rows.CHAIN)
        assert [one.step for one in count_steps(session, run.id)] == list(rows.CHAIN)
        assert list(count_current_steps(session, run.id)) == list(rows.CHAIN)


def test_reasons_that_are_equally_frequent_are_in_the_order_of_the_work(place, run):
    with place.sessions.begin() as session:
        for batch_id, name in enumerate(rows.CHAIN, start=1):
            waiting = select(Step).where(Step.batch_id == batch_id, Step.name == name)
            step = session.scalars(waiting).one()
            step.error = f"no {step.name}"
            rows.add_item(session, step, -batch_id, "quarantined", f"ValueError: no {step.name}")
        assert [one.step for one in find_problems(session, run.id).given_up] == list(rows.CHAIN)
        assert overview(session, run.id).waits_for == "no filter"
        queued = list_waits(session, run.id, AT_ONCE)
    assert [line.rpartition(" ")[2] for line in queued] == list(rows.CHAIN)


def test_reasons_of_rejections_that_are_equally_frequent_are_sorted(place, run):
    reasons = ["blank", "blurred", "dark", "text_mismatch"]
    with place.sessions.begin() as session:
        batch = rows.batch_of(session, run)
        for origin in ("generated", "edited"):
            for reason in ("dark", "text_mismatch", "blank", "blurred"):
                columns = {"origin": origin, "verdict": "rejected", "reason": reason}
                rows.add_candidate(place, session, batch, **columns)
    with place.sessions() as session:
        each, total = overview(session, run.id), overview(session, run.id, by_label=False)
        assert [reason for _, reason in each.rejected] == reasons
        assert [reason for _, reason in total.rejected] == reasons
        generated, edited, _ = count_funnel(session, run.id)
    assert list(generated.rejected) == list(edited.rejected) == reasons


def test_samples_are_of_the_first_labels(place, run):
    with place.sessions.begin() as session:
        for batch in rows.batches_of(session, run):
            rows.add_candidate(place, session, batch, key=f"b{batch.id}/g0")
        assert pagination.list_samples(session, run.id, 2) == [1, 2]


def test_runs_candidates_and_objects_are_sorted(place, run):
    with place.sessions.begin() as session:
        batch = rows.batch_of(session, run)
        second = rows.add_run(session, ("dog",))
        shown = [(label, "brown", rows.DOG_BOX) for label in LABELS]
        for _ in range(3):
            rows.add_candidate(place, session, batch, shown)
        assert list_active(session) == [run.id, second.id]
        assert list(count_objects(session, CandidateFilter())) == sorted(LABELS)
    for file in list(place.images.list_files()):
        place.images.set_aside(file.path)
    lost = find_disagreement(place.sessions, place.images, reason="image_missing", min_age_s=0)
    assert lost.missing == (1, 2, 3)
