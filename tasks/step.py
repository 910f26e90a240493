"""Steps as Celery tasks: claim a step, plan it, work in passes, finish it.

Each step is defined by a `StepWork`: what its items are, and how they are read, computed and
written. Duplicate, late and interrupted messages are handled here and in `tasks/step_executor.py`.
"""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import TypeVar

import structlog
from sqlalchemy.orm import Session

from chatgenimage.db import delivery
from chatgenimage.db.delivery import LeaseLost
from chatgenimage.db.error_messages import is_conflict
from chatgenimage.db.failpoints import Failpoint, reach
from chatgenimage.db.refusals import explain_refusal, explain_stop
from chatgenimage.db.session import reading
from chatgenimage.tasks.failures import TRANSIENT, Fault, StepFailed
from chatgenimage.tasks.heartbeat import Heartbeat
from chatgenimage.tasks.ledger import BUDGET_WAIT_S, may_start_item
from chatgenimage.tasks.model_revisions import find_changed_weights
from chatgenimage.tasks.pass_threads import take_rest_of_chain
from chatgenimage.tasks.resources import Resources, current
from chatgenimage.tasks.step_definition import StepWork
from chatgenimage.tasks.step_executor import StepExecutor

log = structlog.get_logger()

In = TypeVar("In")
Made = TypeVar("Made")
Out = TypeVar("Out")


DONE = "done"
DONE_WAITS = "done; the next step waits: its queue is full, or the run is previewed"
COMPUTED = "computed; the last pass is being written"
GIVEN_BACK = "given back; the rest is tried again later"
LOST = "stopped: another worker took the step over"
AWAY = "nothing done: the database did not answer"
CONFLICT = "nothing done: the database ended the claim in favour of another transaction"


class BudgetInUse(Exception):
    """The items that run now may cost all that is left of the run's budget."""


class ChainEnds(Exception):
    """The chain of messages must end here; the text says why, for people."""


def run_task(work: StepWork[In, Made, Out], batch_id: int) -> str:
    """Run a step for a message, and end the message's chain if the step cannot be followed now.

    Returns:
        What was done, or why there was nothing to do, in words for Flower and the events.
    """
    try:
        return run_step(work, batch_id)
    except ChainEnds as end:
        take_rest_of_chain()
        return str(end)


def run_step(work: StepWork[In, Made, Out], batch_id: int) -> str:
    """Run this step of the batch, if it is the current one and no worker holds it.

    With `resources.threads` it may return before the last pass is written; the chain continues
    after that.

    Returns:
        What was done, in words.

    Raises:
        ChainEnds: If the chain must end here; the dispatcher queues unfinished work again.
    """
    resources = current()
    passes = _claim(work, batch_id, resources)
    reach(Failpoint.AFTER_CLAIM)
    options = resources.delivery
    with ExitStack() as held:
        heartbeat = Heartbeat(
            resources.sessions, passes.claim, options.heartbeat_s, options.time_limit_s
        )
        held.enter_context(heartbeat)
        try:
            passes.run(heartbeat)
            if passes.is_handed_over and resources.threads:
                end = partial(_end_later, passes, held.pop_all(), take_rest_of_chain())
                resources.threads.add(end)
                return COMPUTED
            continues_alone = passes.continues_alone()
        except LeaseLost:
            log.warning("lease_lost", batch_id=batch_id, step=work.name)
            raise ChainEnds(LOST) from None
    log.info("step_ended", chain_continues=continues_alone)
    if not continues_alone:
        raise ChainEnds(DONE_WAITS if passes.is_done else _given_back(batch_id, resources))
    reach(Failpoint.BEFORE_ACK)
    return DONE


def _given_back(batch_id: int, resources: Resources) -> str:
    """Return why a step was given back: the run was paused meanwhile, or something failed."""
    try:
        with reading(resources.sessions) as session:
            stop = explain_stop(session, batch_id)
    except TRANSIENT:
        return GIVEN_BACK
    return f"given back; {stop}" if stop else GIVEN_BACK


def _end_later(
    passes: StepExecutor[In, Made, Out], held: ExitStack, send_rest: Callable[[], None]
) -> None:
    """End a step after its last pass was written, in the background."""
    try:
        with held:
            continues_alone = passes.continues_alone()
        log.info("step_ended", chain_continues=continues_alone)
        if continues_alone:
            reach(Failpoint.BEFORE_ACK)
            send_rest()
    except LeaseLost:
        log.warning("lease_lost", step_id=passes.claim.step_id)
    except Exception as error:
        # The step is done or its lease ends; the dispatcher's sweep queues the batch again.
        log.exception("step_end_failed", error=str(error))


def _claim(
    work: StepWork[In, Made, Out], batch_id: int, resources: Resources
) -> StepExecutor[In, Made, Out]:
    """Claim the step and start its first pass.

    Raises:
        ChainEnds: If that is impossible now.
    """
    try:
        passes = _claim_or_fail(work, batch_id, resources)
        if passes:
            return passes
        with reading(resources.sessions) as session:
            reason = explain_refusal(session, batch_id, work.name, resources.models_key)
    except TRANSIENT as error:
        log.warning("claim_failed", batch_id=batch_id, step=work.name, error=str(error))
        raise ChainEnds(CONFLICT if is_conflict(error) else AWAY) from None
    log.info("message_ignored", batch_id=batch_id, step=work.name, reason=reason)
    raise ChainEnds(f"nothing to do: {reason}")


def _claim_or_fail(
    work: StepWork[In, Made, Out], batch_id: int, resources: Resources
) -> StepExecutor[In, Made, Out] | None:
    """Claim the batch's current step and start its first pass; postpone it without a budget.

    Returns:
        The step's executor, or None if this is not the current step, another worker holds it, or
        the run's budget has no room for an item: then no attempt is counted.
    """
    try:
        return _claim_and_start(work, batch_id, resources)
    except BudgetInUse:
        with resources.sessions.begin() as session:
            delivery.postpone_step(session, batch_id, delay_s=BUDGET_WAIT_S)
        return None


def _claim_and_start(
    work: StepWork[In, Made, Out], batch_id: int, resources: Resources
) -> StepExecutor[In, Made, Out] | None:
    """Claim the step and start its first pass, in one transaction.

    If planning fails, that transaction is rolled back, and a second claim stores the error.

    Raises:
        BudgetInUse: If the budget has no room for an item; the transaction is rolled back.
    """
    try:
        with resources.sessions.begin() as session:
            passes, is_first = _take_step(session, work, batch_id, resources)
            if passes:
                passes.start(session, is_first=is_first)
    except StepFailed as error:
        fault = Fault.of(error.__cause__ or error)
        with resources.sessions.begin() as session:
            passes, _ = _take_step(session, work, batch_id, resources)
            if passes:
                passes.fail(session, fault)
    return passes


def _take_step(
    session: Session, work: StepWork[In, Made, Out], batch_id: int, resources: Resources
) -> tuple[StepExecutor[In, Made, Out] | None, bool]:
    """Claim the batch's step if it is the current one.

    Returns:
        The step's executor, and whether this is the first claim of the step. None and False if it
        cannot be claimed, or the worker's weights are not those of the run's earlier images: then
        the step waits in its row, and no attempt is counted.

    Raises:
        BudgetInUse: If the run's budget has no room for an item.
    """
    claimed = delivery.claim_step(
        session,
        batch_id,
        work.name,
        owner=resources.owner,
        lease_s=resources.delivery.lease_s,
        models_key=resources.models_key,
    )
    if claimed is None:
        return None, False
    claim, is_first = claimed
    step = delivery.get_held_step(session, claim)
    if not may_start_item(session, step, resources.paid_queues):
        raise BudgetInUse
    run_id = step.batch.run_id
    structlog.contextvars.bind_contextvars(run_id=run_id)
    if changed := find_changed_weights(session, run_id, resources):
        log.error("weights_changed", batch_id=batch_id, step=work.name, error=changed)
        delay_s = resources.delivery.max_backoff_s
        step.attempts -= 1  # a first claim plans the step, which this one does not
        session.flush()
        delivery.release_step(session, claim, delay_s=delay_s, error=changed)
        return None, False
    return StepExecutor(work, resources, claim, step), is_first
