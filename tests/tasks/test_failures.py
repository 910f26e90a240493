"""Failures of items and steps, shown with a toy step."""

import dataclasses

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from chatgenimage.db import delivery, items
from chatgenimage.db.clock import now
from chatgenimage.db.errors import ImageBroken, ImageMissing, StorageUnavailable
from chatgenimage.db.models import Item, LlmCall, Step
from chatgenimage.db.states import ItemState, StepState
from chatgenimage.tasks import resources
from chatgenimage.tasks.adaptive_batch_size import PassSizes
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


def test_the_size_that_fits_is_remembered_and_outgrown_with_care(toy_batch):
    resources.use(dataclasses.replace(resources.current(), pass_sizes=PassSizes(grow_after=2)))
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
