"""Failures of items and steps, shown with a toy step."""

import contextlib
import dataclasses
import threading
import time

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from chatgenimage.db import control, delivery, items
from chatgenimage.db.clock import now
from chatgenimage.db.errors import ImageBroken, ImageMissing, StorageUnavailable
from chatgenimage.db.models import Item, LlmCall, Run, Step
from chatgenimage.db.session import engine_of
from chatgenimage.db.states import WHOLE_STEP, ItemState, StepState
from chatgenimage.tasks import adaptive_batch_size, resources
from chatgenimage.tasks.heartbeat import Heartbeat
from chatgenimage.tasks.step import ChainEnds, run_step
from chatgenimage.workers.errors import AnswerRefused, EndpointUnavailable
from chatgenimage.workers.values import Exchange
from tests.tasks.toy import SUBJECTS, Toy, first_step, items_of

EXCHANGE = Exchange("scenes", "toy", ({"role": "user", "content": "?"},), "nonsense")


def test_one_bad_item_is_quarantined_with_its_traceback_and_the_rest_is_done(place, toy_batch):
    toy = Toy(failing={3})
    run_step(toy.work, toy_batch)
    assert sorted(toy.written) == [1, 2, 4, 5]
    bad = items_of(place)[3]
    assert bad.state == ItemState.QUARANTINED
    assert "ValueError: bad item" in bad.error
    assert toy.passes.count([3]) == 3


def test_the_log_of_a_failed_item_names_its_label(place, toy_batch):
    with capture_logs() as logs:
        run_step(Toy(failing={3}).work, toy_batch)
    [failed] = {line["item_id"]: line for line in logs if line["event"] == "item_failed"}.values()
    assert failed["label"] == "dog"
    assert failed["candidate"] == "b0"
    assert "bad item" in failed["error"]


def test_a_batch_that_is_too_big_for_the_memory_is_halved(place, toy_batch):
    toy = Toy(most=2)
    run_step(toy.work, toy_batch)
    assert sorted(toy.written) == list(SUBJECTS)
    assert all(item.state == ItemState.DONE for item in items_of(place).values())


def test_an_answer_that_is_refused_is_not_asked_for_again_and_stands_in_the_ledger(
    place, toy_batch
):
    toy = Toy(failing={2}, error=AnswerRefused("no scenes in the answer", [EXCHANGE]))
    run_step(toy.work, toy_batch)
    assert items_of(place)[2].state == ItemState.QUARANTINED
    assert toy.passes.count([2]) == 1
    with place.sessions() as session:
        assert session.scalars(select(LlmCall.answer)).all() == ["nonsense"]


def test_a_fault_of_the_surroundings_makes_the_step_wait_without_costing_an_attempt(
    place, toy_batch
):
    toy = Toy(failing=SUBJECTS, error=OperationalError("select 1", {}, Exception("gone")))
    with pytest.raises(ChainEnds):
        run_step(toy.work, toy_batch)
    step = first_step(place)
    assert (step.state, step.token) == (StepState.READY, None)
    assert "gone" in step.error
    assert {item.attempts for item in items_of(place).values()} == {0}
    toy.failing = set()
    run_step(toy.work, toy_batch)
    assert sorted(toy.written) == list(SUBJECTS)


@pytest.mark.parametrize("error", [ImageBroken("damaged"), ImageMissing("gone")], ids=repr)
def test_an_image_that_is_damaged_or_gone_costs_its_item_alone(place, toy_batch, error):
    toy = Toy(failing={2}, error=error)
    run_step(toy.work, toy_batch)
    assert sorted(toy.written) == [1, 3, 4, 5]
    given_up = items_of(place)[2]
    assert given_up.state == ItemState.QUARANTINED
    assert str(error) in given_up.error
    assert toy.passes.count([2]) == 1  # another try would find the same


def test_an_image_store_that_is_away_makes_the_step_wait(place, toy_batch):
    toy = Toy(failing=SUBJECTS, error=StorageUnavailable("no server"))
    with pytest.raises(ChainEnds):
        run_step(toy.work, toy_batch)
    assert first_step(place).state == StepState.READY
    assert {item.attempts for item in items_of(place).values()} == {0}


def test_a_step_waits_longer_each_time_up_to_a_limit(place, toy_batch):
    patient = resources.current().delivery.model_copy(update={"max_backoff_s": 6.0})
    resources.use(dataclasses.replace(resources.current(), delivery=patient))
    toy = Toy(failing=SUBJECTS, error=EndpointUnavailable("429: too many requests"))
    until = []
    for longest_s in (2, 4, 6, 6):
        asked_at = clock(place)
        with pytest.raises(ChainEnds):
            run_step(toy.work, toy_batch)
        with place.sessions.begin() as session:
            step = session.scalars(select(Step).order_by(Step.position)).first()
            until.append(step.run_after)
            step.run_after = 0.0
        assert asked_at + longest_s / 2 < until[-1] < clock(place) + longest_s
    assert len(toy.passes) == 4


def clock(place):
    with place.sessions() as session:
        return now(session)


def test_an_item_that_killed_its_worker_each_time_is_quarantined_and_the_rest_goes_on(
    place, toy_batch
):
    toy = Toy()
    with place.sessions.begin() as session:  # the rows after three crashes during item 4
        held, _ = delivery.claim_step(session, toy_batch, "brainstorm", owner="dead", lease_s=-1)
        items.add_items(session, held, SUBJECTS)
        session.flush()
        killer = session.scalars(select(Item).where(Item.subject_id == 4)).one()
        killer.attempts = 3
    run_step(toy.work, toy_batch)
    assert items_of(place)[4].state == ItemState.QUARANTINED
    assert sorted(toy.written) == [1, 2, 3, 5]


@pytest.mark.parametrize(("deaths", "state"), [(1, ItemState.DONE), (2, ItemState.QUARANTINED)])
def test_one_death_of_a_worker_is_no_proof_even_if_items_have_one_try(
    place, toy_batch, deaths, state
):
    strict = resources.current().delivery.model_copy(update={"max_attempts": 1})
    resources.use(dataclasses.replace(resources.current(), delivery=strict))
    toy = Toy(failing={2})
    with place.sessions.begin() as session:
        held, _ = delivery.claim_step(session, toy_batch, "brainstorm", owner="dead", lease_s=-1)
        items.add_items(session, held, SUBJECTS)
        session.flush()
        for item in session.scalars(select(Item).where(Item.subject_id <= 2)):
            item.attempts = deaths
    run_step(toy.work, toy_batch)
    assert items_of(place)[1].state == state
    assert items_of(place)[2].state == ItemState.QUARANTINED
    assert sorted(toy.written) == [*([1] if deaths == 1 else []), 3, 4, 5]


def test_items_that_were_tried_before_run_alone(place, toy_batch):
    toy = Toy()
    with place.sessions.begin() as session:
        held, _ = delivery.claim_step(session, toy_batch, "brainstorm", owner="dead", lease_s=-1)
        items.add_items(session, held, SUBJECTS)
        session.flush()
        for item in session.scalars(select(Item).where(Item.subject_id <= 2)):
            item.attempts = 1
    run_step(toy.work, toy_batch)
    assert toy.passes == [[3, 4, 5], [1], [2]]


def test_what_was_given_up_tells_traceback_inputs_seed_and_worker(place, toy_batch):
    run_step(Toy(failing={3}).work, toy_batch)
    bad = items_of(place)[3]
    assert "ValueError: bad item" in bad.error
    assert bad.inputs == {"subject": 3, "seed": 30}
    assert bad.worker == "test@here#1"


def test_what_killed_its_worker_tells_inputs_seed_and_the_worker_that_died(place, toy_batch):
    with place.sessions.begin() as session:
        held, _ = delivery.claim_step(session, toy_batch, "brainstorm", owner="dead", lease_s=-1)
        items.add_items(session, held, SUBJECTS)
        killer = items.open_items(session, held)[3]
        for _ in range(3):
            items.start_item(session, killer.id, worker="dead")
    run_step(Toy().work, toy_batch)
    killer = items_of(place)[4]
    assert (killer.state, killer.worker) == (ItemState.QUARANTINED, "dead")
    assert killer.inputs == {"subject": 4, "seed": 40}
    assert "died" in killer.error


def test_the_size_that_fits_is_remembered_and_outgrown_with_care(toy_batch, monkeypatch):
    monkeypatch.setattr(adaptive_batch_size, "GROW_AFTER", 2)
    toy = Toy(most=2)
    run_step(toy.work, toy_batch)
    assert toy.passes == [[1, 2, 3, 4, 5], [1, 2], [3], [4, 5]]
    sizes = resources.current().pass_sizes
    assert sizes.limit("brainstorm", 8) == 2 * 2  # two passes at the limit went well
    sizes.too_big("brainstorm", 4)
    assert sizes.limit("brainstorm", 8) == 2
    assert sizes.limit("generate", 8) == 8


def test_an_item_that_cannot_be_read_does_not_hold_up_the_others(place, toy_batch):
    toy = Toy()
    toy.unreadable = {2}
    run_step(toy.work, toy_batch)
    assert toy.written == [1, 3, 4, 5]
    assert "nothing to read" in items_of(place)[2].error
    assert items_of(place)[2].state == ItemState.QUARANTINED


def test_a_result_that_cannot_be_written_does_not_hold_up_the_others(place, toy_batch):
    toy = Toy()
    toy.unwritable = {2}
    run_step(toy.work, toy_batch)
    assert set(toy.written) == {1, 3, 4, 5}
    assert toy.passes == [list(SUBJECTS), [2], [2]]  # what was computed is not computed again
    done = [item for item in items_of(place).values() if item.state == ItemState.DONE]
    assert [item.subject_id for item in done] == [1, 3, 4, 5]
    assert "no such text" in items_of(place)[2].error


def test_what_an_overloaded_endpoint_was_asked_stands_in_the_ledger(place, toy_batch):
    error = EndpointUnavailable("429", [EXCHANGE])
    with pytest.raises(ChainEnds):
        run_step(Toy(failing=SUBJECTS, error=error).work, toy_batch)
    with place.sessions() as session:
        assert session.scalars(select(LlmCall.answer)).all() == ["nonsense"]
    assert {item.attempts for item in items_of(place).values()} == {0}


def broken(_session, _step):
    raise KeyError("missing score")


def run_to_the_end(work, batch_id):
    """Process messages until the chain continues; return how many were needed."""
    for tries in range(1, 9):
        with contextlib.suppress(ChainEnds):
            run_step(work, batch_id)
            return tries
    raise AssertionError("it waits for ever")


@pytest.mark.parametrize("part", ["plan", "conclude"])
def test_a_step_that_fails_each_time_is_given_up_and_the_chain_goes_on(place, toy_batch, part):
    assert run_to_the_end(dataclasses.replace(Toy().work, **{part: broken}), toy_batch) == 3
    assert first_step(place).state == StepState.DONE
    whole = items_of(place).pop(WHOLE_STEP)
    assert (whole.state, whole.attempts) == (ItemState.QUARANTINED, 3)
    assert "KeyError: 'missing score'" in whole.error
    assert whole.worker == "test@here#1"
    assert whole.inputs["batch_id"] == toy_batch


@pytest.mark.parametrize("part", ["plan", "conclude"])
def test_a_step_that_was_given_up_is_done_in_full_when_it_is_tried_again(place, toy_batch, part):
    toy = Toy()
    run_to_the_end(dataclasses.replace(toy.work, **{part: broken}), toy_batch)
    with place.sessions.begin() as session:
        run_id = session.scalars(select(Run.id)).one()
        assert control.retry_quarantined(session, run_id) == 1
    assert run_to_the_end(toy.work, toy_batch) == 1
    assert {item.state for item in items_of(place).values()} == {ItemState.DONE}
    assert toy.passes == [list(SUBJECTS)]  # what was computed before is not computed again


@pytest.mark.parametrize("part", ["plan", "conclude"])
def test_a_step_that_fails_once_waits_with_its_error_and_is_then_done(place, toy_batch, part):
    toy = Toy()
    with pytest.raises(ChainEnds):
        run_step(dataclasses.replace(toy.work, **{part: broken}), toy_batch)
    step = first_step(place)
    assert (step.state, step.error) == (StepState.READY, "'missing score'")
    run_step(toy.work, toy_batch)
    assert first_step(place).state == StepState.DONE
    assert {item.state for item in items_of(place).values()} == {ItemState.DONE}
    assert toy.passes == [list(SUBJECTS)]


def test_a_database_that_is_away_while_a_step_is_planned_is_no_fault_of_the_step(place, toy_batch):
    def away(_session, _step):
        raise OperationalError("select 1", {}, Exception("gone"))

    toy = Toy()
    for _ in range(4):
        with pytest.raises(ChainEnds):
            run_step(dataclasses.replace(toy.work, plan=away), toy_batch)
    run_step(toy.work, toy_batch)
    assert set(items_of(place)) == set(SUBJECTS)


def test_a_pass_that_hits_the_time_limit_is_tried_item_by_item(place, toy_batch):
    toy = Toy(failing=SUBJECTS, error=SoftTimeLimitExceeded())
    with pytest.raises(ChainEnds):
        run_step(toy.work, toy_batch)
    assert toy.passes == [list(SUBJECTS)]
    assert first_step(place).state == StepState.READY
    toy.failing = set()
    run_step(toy.work, toy_batch)
    assert toy.passes[1:] == [[1], [2], [3], [4], [5]]


def test_a_database_that_goes_away_for_a_moment_costs_no_attempt(place, toy_batch):
    toy = Toy()
    engine = engine_of(place.sessions)
    back = threading.Timer(0.6, lambda: setattr(engine.pool, "_creator", creator))
    creator = engine.pool._creator  # noqa: SLF001  # what a server that is away looks like

    def away(*_):
        raise engine.dialect.loaded_dbapi.OperationalError("the server is away")

    def go_away():
        engine.dispose()
        engine.pool._creator = away  # noqa: SLF001
        back.start()

    toy.before_pass = go_away
    with pytest.raises(ChainEnds):
        run_step(toy.work, toy_batch)
    back.join()
    step = first_step(place)
    assert (step.state, "away" in step.error) == (StepState.READY, True)
    assert {item.attempts for item in items_of(place).values()} == {0}


def test_a_worker_that_cannot_renew_its_lease_starts_nothing_more(place, toy_batch):
    """Its own clock shows that, even while the database does not answer."""
    held = claim(place, toy_batch)
    assert not Heartbeat(place.sessions, held, every_s=60).lost
    long_ago = dataclasses.replace(held, claimed_at=held.claimed_at - 1.5 * held.lease_s)
    assert Heartbeat(place.sessions, long_ago, every_s=60).lost


def test_a_lease_is_not_renewed_for_longer_than_a_step_may_take(place, toy_batch):
    """What hangs while it is written has no time limit of Celery's."""
    held = claim(place, toy_batch)
    before = first_step(place).lease_until
    Heartbeat(place.sessions, held, every_s=0.0, longest_s=0.0).beat()
    assert first_step(place).lease_until == before
    Heartbeat(place.sessions, held, every_s=0.0).beat()
    assert first_step(place).lease_until > before


def test_a_lease_is_renewed_while_the_models_compute(place, toy_batch):
    held = claim(place, toy_batch)
    before = first_step(place).lease_until
    deadline = time.monotonic() + 120
    with Heartbeat(place.sessions, held, every_s=0.02) as heartbeat:
        while first_step(place).lease_until == before and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not heartbeat.lost
    assert first_step(place).lease_until > before


def claim(place, batch_id):
    with place.sessions.begin() as session:
        held, _ = delivery.claim_step(session, batch_id, "brainstorm", owner="me", lease_s=60)
    return held
