"""Statements of the progress of a run with very many labels: none reads a row per label."""

import pytest
from sqlalchemy import insert, select

from chatgenimage.db.label_progress import (
    LabelOrder,
    LabelState,
    list_first_labels,
    list_label_progress,
)
from chatgenimage.db.models import Batch, Candidate, Label
from chatgenimage.db.run_progress import ALL_LABELS, overview
from chatgenimage.db.runs import (
    count_funnel_by_label,
    count_funnel_of_labels,
    count_labels,
    get_run,
)
from chatgenimage.db.session import reading
from chatgenimage.db.states import BatchState, StepState
from chatgenimage.factory.query.json_records import run_record
from chatgenimage.factory.settings.model import load_settings
from tests import rows

COUNT = 3000


@pytest.fixture(params=["sqlite", "postgres"])
def place(request):
    return request.getfixturevalue(f"{request.param}_place")


@pytest.fixture
def run_id(place):
    """A run in which every second of many labels has a candidate."""
    with place.sessions.begin() as session:
        run = rows.add_run(session, ["a"])
        names = [{"name": f"label {number:05d}"} for number in range(1, COUNT)]
        same = {"run_id": run.id, "mode": "scene", "per_label": 1}
        session.execute(insert(Label), [one | same for one in names])
        labels = list(session.query(Label.id).order_by(Label.id))
        batches = [{"run_id": run.id, "label_id": id_, "index": 1, "size": 1} for (id_,) in labels]
        session.execute(insert(Batch), batches)
        batch = rows.batch_of(session, run)
        rows.add_item(session, rows.add_steps(session, batch)[0], 1)
        candidate = rows.add_candidate(place, session, batch)
        columns = {c.key: getattr(candidate, c.key) for c in Candidate.__table__.columns}
        del columns["id"]
        more = [
            columns | {"label_id": id_, "key": "b1/g0", "verdict": verdict, "reason": reason}
            for (id_,), (verdict, reason) in zip(
                labels[1::2], [("accepted", None), ("rejected", "blur")] * COUNT, strict=False
            )
        ]
        session.execute(insert(Candidate), more)
        return run.id


def test_counts_over_all_labels_equal_their_sum(place, run_id):
    with reading(place.sessions) as session:
        each, total = overview(session, run_id), overview(session, run_id, by_label=False)
    assert len(each.made) == COUNT // 2 + 1
    assert total.made == {(ALL_LABELS, "generated"): sum(each.made.values())}
    assert total.accepted == {(ALL_LABELS, "generated"): sum(each.accepted.values())}
    assert total.rejected == {(ALL_LABELS, "blur"): sum(each.rejected.values())}
    [one], [step] = each.steps, total.steps
    assert (one.step, one.done) == (step.step, step.done) == ("brainstorm", 1)
    assert (each.batches, each.quotas) == (total.batches, total.quotas)


def test_chosen_labels_are_counted_in_the_order_of_the_choice(place, run_id):
    with reading(place.sessions) as session:
        every = count_funnel_by_label(session, run_id)
        assert len(every) == COUNT // 2 + 1
        assert count_labels(session, run_id) == COUNT
        ids = list_first_labels(session, run_id, LabelOrder.SUBMITTED, 4)[::-1]
        some = count_funnel_of_labels(session, run_id, ids)
    assert list(some) == ["label 00003", "label 00002", "label 00001", "a"]
    assert {label: stages for label, stages in some.items() if label in every} == {
        label: every[label] for label in list(every)[:3]
    }
    assert sum(stage.made for stage in some["label 00002"]) == 0


def test_a_run_can_be_read_without_its_labels(place, run_id):
    with reading(place.sessions) as session:
        run = get_run(session, run_id, with_labels=False)
        assert "labels" not in vars(run)
        assert len(get_run(session, run_id).labels) == COUNT


def test_the_record_of_a_run_makes_no_object_of_a_label(place, run_id):
    with reading(place.sessions) as session:
        run = get_run(session, run_id, with_labels=False)
        record = run_record(session, run, load_settings("micro"))
        assert len(record["labels"]) == COUNT
        assert len(record["funnel_by_label"]) == COUNT // 2 + 1
        assert not any(isinstance(one, Label) for one in session.identity_map.values())


def test_labels_come_in_every_order(place, run_id):
    with place.sessions.begin() as session:
        last = session.scalars(select(Batch).order_by(Batch.id.desc())).first()
        last.state = BatchState.IN_FLIGHT
        steps = rows.add_steps(session, last)
        steps[0].state = StepState.RUNNING
    with reading(place.sessions) as session:
        first = {
            order: list_label_progress(session, run_id, order, limit=1)[0] for order in LabelOrder
        }
    assert (first[LabelOrder.SUBMITTED].label, first[LabelOrder.NAME].label) == ("a", "a")
    assert first[LabelOrder.ACTIVE].label == f"label {COUNT - 1:05d}"
    assert first[LabelOrder.ACTIVE].state is LabelState.RUNNING
    assert (first[LabelOrder.ACCEPTED].accepted, first[LabelOrder.REJECTED].rejected) == (0, 1)
