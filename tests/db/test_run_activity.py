"""Current activity of a run, on SQLite and PostgreSQL."""

import pytest

from chatgenimage.db.run_activity import (
    list_durations,
    list_failures,
    list_held_steps,
    measure_work,
)
from chatgenimage.db.states import BatchState, ItemState, StepState
from tests import rows

CHAIN = ("generate", "label")


def add_run(session, batches=2):
    run = rows.add_run(session, ("dog",), batches=batches)
    return run, rows.batches_of(session, run)


def settle(session, step, durations, state=StepState.DONE):
    step.state = state
    for subject, duration in enumerate(durations):
        rows.add_item(session, step, subject).duration_s = duration


def test_a_worker_s_step_is_told_with_how_far_it_is(place):
    with place.sessions.begin() as session:
        run, [batch, _] = add_run(session)
        step = rows.add_steps(session, batch, CHAIN)[0]
        step.state, step.owner, step.started_at = StepState.RUNNING, "diffusion@box#1/2", 1.0
        rows.add_item(session, step, 1)
        rows.add_item(session, step, 2, state=ItemState.READY)
        [held] = list_held_steps(session, run.id)
    assert (held.worker, held.step, held.label) == ("diffusion@box#1/2", "generate", "dog")
    assert (held.batch, held.round, held.done, held.total) == (0, 0, 1, 2)
    assert held.since_s > 1_000_000


def test_failures_are_told_latest_first_and_those_that_succeeded_since_are_not(place):
    with place.sessions.begin() as session:
        run, [batch, _] = add_run(session)
        step = rows.add_steps(session, batch, CHAIN)[0]
        rows.add_item(session, step, 1, state=ItemState.QUARANTINED, error="Traceback\nOSError: a")
        rows.add_item(session, step, 2, state=ItemState.READY, error="ValueError: b\n")
        rows.add_item(session, step, 3, state=ItemState.DONE, error="once")
        failures = list_failures(session, run.id)
    assert [(f.error, f.is_final) for f in failures] == [
        ("ValueError: b", False),
        ("OSError: a", True),
    ]


def test_what_is_left_is_what_steps_of_its_kind_took(place):
    with place.sessions.begin() as session:
        run, [first, second] = add_run(session)
        generate, label = rows.add_steps(session, first, CHAIN)
        settle(session, generate, [1.0, 2.0])
        settle(session, label, [0.5, 0.5])
        begun, _ = rows.add_steps(session, second, CHAIN)
        settle(session, begun, [1.0], StepState.RUNNING)
        work = measure_work(session, run.id)
    assert work.done_s == pytest.approx(5.0)
    assert work.left_s == pytest.approx(2.0 + 1.0)  # the rest of generate, and a label


def test_batches_that_wait_are_taken_to_be_like_the_others(place):
    with place.sessions.begin() as session:
        run, batches = add_run(session, batches=3)
        generate, label = rows.add_steps(session, batches[0], CHAIN)
        settle(session, generate, [3.0])
        settle(session, label, [1.0])
        work = measure_work(session, run.id)
    assert work.left_s == pytest.approx(2 * 4.0)


def test_what_is_left_is_unknown_while_a_kind_of_step_was_never_seen(place):
    with place.sessions.begin() as session:
        run, [batch, _] = add_run(session)
        assert measure_work(session, run.id).left_s is None
        generate, _ = rows.add_steps(session, batch, CHAIN)
        settle(session, generate, [3.0])
        assert measure_work(session, run.id).left_s is None


def test_kinds_that_are_to_come_are_known_from_the_run_before_with_the_same_models(place):
    with place.sessions.begin() as session:
        for models, took_s in (("same", 8.0), ("same", 6.0), ("others", 100.0)):
            before, [batch, rest] = add_run(session)
            before.models_key, before.state, batch.size = models, "done", 2
            rest.state = BatchState.WAITING
            for step in rows.add_steps(session, batch, CHAIN):
                settle(session, step, [took_s])
        run, [batch, _] = add_run(session)
        run.models_key, batch.size = "same", 4
        generate, _ = rows.add_steps(session, batch, CHAIN)
        settle(session, generate, [3.0])
        durations = list_durations(session, run.id)
        assert durations == {("generate", 0): 3.0, ("label", 0): 3.0}
        work = measure_work(session, run.id, durations)
    assert work.left_s == pytest.approx(4 * 3.0 + (3.0 + 4 * 3.0))  # with the waiting batch


def test_the_first_run_knows_of_none_before(place):
    with place.sessions.begin() as session:
        run, _ = add_run(session)
        assert list_durations(session, run.id) == {}


def test_nothing_is_left_of_a_run_that_is_done(place):
    with place.sessions.begin() as session:
        run, batches = add_run(session)
        for batch in batches:
            for step in rows.add_steps(session, batch, CHAIN):
                settle(session, step, [1.0])
            batch.state = BatchState.DONE
        assert measure_work(session, run.id).left_s == 0.0
