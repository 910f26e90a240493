"""Steps without failures, shown with a toy step and the real tables."""

import contextlib
import dataclasses

import pytest
from sqlalchemy import event, select

from chatgenimage.db import delivery
from chatgenimage.db.models import Batch, Run, Step
from chatgenimage.db.session import engine_of
from chatgenimage.db.states import BatchState, ItemState, RunState, StepState
from chatgenimage.tasks import resources
from chatgenimage.tasks.step import ChainEnds, run_step, run_task
from tests.tasks.toy import SUBJECTS, Toy, first_step, items_of, set_options


def test_all_items_are_computed_together_and_written_once(place, toy_batch):
    toy = Toy()
    run_step(toy.work, toy_batch)
    assert toy.passes == [list(SUBJECTS)]
    assert toy.written == list(SUBJECTS)
    assert first_step(place).state == StepState.DONE


def test_a_step_of_one_pass_costs_two_transactions_and_six_statements(place, toy_batch):
    engine, seen = engine_of(place.sessions), []
    event.listen(engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
    event.listen(engine, "commit", lambda _: seen.append("COMMIT"))
    run_step(Toy().work, toy_batch)
    assert seen.count("COMMIT") == 2
    assert len([words for words in seen if words.split()[0] not in {"BEGIN", "COMMIT"}]) == 6


def has_cuda():
    """Return whether PyTorch sees a CUDA device; the import takes seconds."""
    import torch

    return torch.cuda.is_available()


@pytest.mark.models
def test_without_a_cuda_device_nothing_is_said_of_its_memory(place, toy_batch):
    if has_cuda():
        pytest.skip("has a CUDA device")
    run_step(Toy().work, toy_batch)
    assert {item.gpu_peak_bytes for item in items_of(place).values()} == {None}


@pytest.mark.models
def test_what_a_pass_took_of_the_gpu_is_kept(place, toy_batch):
    if not has_cuda():
        pytest.skip("needs a CUDA device")
    import torch

    toy = Toy()
    toy.before_pass = lambda: torch.zeros(1 << 20, device="cuda")
    run_step(toy.work, toy_batch)
    assert all(item.gpu_peak_bytes >= 4 << 20 for item in items_of(place).values())


def test_a_message_that_comes_twice_does_nothing_the_second_time(place, toy_batch):
    toy = Toy()
    run_step(toy.work, toy_batch)
    with pytest.raises(ChainEnds, match="nothing to do: the batch is at the step generate"):
        run_step(toy.work, toy_batch)
    assert toy.written == list(SUBJECTS)


def test_a_message_for_a_step_that_another_worker_has_says_so(place, toy_batch):
    with place.sessions.begin() as session:
        delivery.claim_step(session, toy_batch, "brainstorm", owner="another", lease_s=60)
    assert run_task(Toy().work, toy_batch) == "nothing to do: another worker has the step"


def test_a_message_for_another_step_than_the_current_is_ignored(toy_batch):
    toy = Toy()
    early = dataclasses.replace(toy.work, name="filter")
    with pytest.raises(ChainEnds):
        run_step(early, toy_batch)
    assert not toy.passes


def test_a_worker_that_lost_its_lease_writes_nothing(place, toy_batch):
    toy = Toy()

    def another_takes_over():
        with place.sessions.begin() as session:
            session.scalars(select(Step).order_by(Step.position)).first().token = "other"

    toy.before_pass = another_takes_over
    with pytest.raises(ChainEnds):
        run_step(toy.work, toy_batch)
    assert toy.written == []


def test_a_step_that_is_asked_to_stop_gives_the_rest_back(place, toy_batch):
    toy = Toy()
    with place.sessions.begin() as session:
        set_options(session.scalars(select(Run)).one(), batch_size=2)

    def stop():
        with place.sessions.begin() as session:
            delivery.request_stop(session, "test@here#1")

    toy.before_pass = stop
    with pytest.raises(ChainEnds, match="given back"):
        run_step(toy.work, toy_batch)
    assert toy.written == [1, 2]
    with place.sessions() as session:
        assert session.scalars(select(Batch)).one().rung_at is None
    toy.before_pass = lambda: None
    run_step(toy.work, toy_batch)
    assert toy.written == list(SUBJECTS)


@pytest.mark.parametrize("state", [RunState.PAUSED, RunState.CANCELLED])
def test_a_run_that_is_stopped_meanwhile_keeps_what_was_made_and_starts_no_other_pass(
    place, toy_batch, state
):
    toy = Toy()
    with place.sessions.begin() as session:
        set_options(session.scalars(select(Run)).one(), batch_size=2)

    def stop():
        with place.sessions.begin() as session:
            session.scalars(select(Run)).one().state = state

    toy.before_pass = stop
    with pytest.raises(ChainEnds):
        run_step(toy.work, toy_batch)
    assert (toy.passes, toy.written) == ([[1, 2]], [1, 2])
    assert first_step(place).state == StepState.READY
    left = [item for item in items_of(place).values() if item.state == ItemState.READY]
    assert [(item.subject_id, item.attempts) for item in left] == [(3, 0), (4, 0), (5, 0)]


def test_a_cancelled_run_is_not_worked_on(place, toy_batch):
    with place.sessions.begin() as session:
        session.scalars(select(Run)).one().state = "cancelled"
    toy = Toy()
    with pytest.raises(ChainEnds, match="the run is cancelled"):
        run_step(toy.work, toy_batch)
    assert not toy.passes


def test_a_run_that_asks_for_other_models_is_left_to_workers_that_have_them(place, toy_batch):
    with place.sessions.begin() as session:
        session.scalars(select(Run)).one().models_key = "theirs"
    toy = Toy()
    for key in ("ours", "theirs"):
        resources.use(dataclasses.replace(resources.current(), models_key=key))
        with contextlib.suppress(ChainEnds):
            run_step(toy.work, toy_batch)
        assert bool(toy.written) == (key == "theirs")


def test_the_last_step_ends_the_batch(place, toy_batch):
    with place.sessions.begin() as session:
        for step in session.scalars(select(Step).where(Step.position > 0)):
            step.state = StepState.DONE
    told = run_task(Toy().work, toy_batch)
    assert told == "done"
    with place.sessions() as session:
        assert session.scalars(select(Batch)).one().state == BatchState.DONE


def test_a_step_with_nothing_to_do_is_done_at_once(place, toy_batch):
    toy = Toy()
    run_step(dataclasses.replace(toy.work, plan=lambda _session, _step: []), toy_batch)
    assert first_step(place).state == StepState.DONE
    assert not toy.passes


def test_a_step_takes_as_many_passes_as_it_needs(place, toy_batch):
    toy = Toy()
    run_step(dataclasses.replace(toy.work, pass_size=2), toy_batch)
    assert toy.passes == [[1, 2], [3, 4], [5]]
    assert {item.worker for item in items_of(place).values()} == {"test@here#1"}


def test_a_long_step_gives_the_rest_back_before_its_time_is_up(place, toy_batch):
    toy = Toy()
    short = resources.current().delivery.model_copy(update={"time_limit_s": 0})
    resources.use(dataclasses.replace(resources.current(), delivery=short))
    with pytest.raises(ChainEnds):
        run_step(dataclasses.replace(toy.work, pass_size=2), toy_batch)
    assert toy.written == [1, 2]
    assert first_step(place).state == StepState.READY
    assert items_of(place)[3].attempts == 0
