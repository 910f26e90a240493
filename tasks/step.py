"""How every step runs: claim, plan, work in passes, finish item by item, behind the fence.

A step is stated as a `StepWork`: what its items are, how they are read, computed and written.
Everything that a queue can do to it (twice, late, killed half-way) is handled here, once.
"""

import random
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog
from celery.exceptions import Ignore
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from db import delivery, dispatching
from db.delivery import Claim, LeaseLost
from db.errors import ImageBroken, ImageMissing, StoreError
from db.failpoints import Failpoint, reach
from db.models import Item, LlmCall, Step
from db.states import ItemState
from tasks.heartbeat import Heartbeat
from tasks.options import RunOptions
from tasks.resources import Resources, current
from workers.errors import AnswerRefused, OutOfMemory, UnknownWord
from workers.values import Exchange

log = structlog.get_logger()

In = TypeVar("In")
Out = TypeVar("Out")

TRANSIENT = (OperationalError, StoreError, ConnectionError, TimeoutError)
"""Faults of the surroundings: the step waits in its row and is rung for again."""

PERMANENT = (AnswerRefused, UnknownWord, ImageMissing, ImageBroken)
"""Faults of the datum: another try would give the same."""


@dataclass(frozen=True)
class StepWork(Generic[In, Out]):
    """One step of the chain.

    Attributes:
        name: Of the Celery task.
        plan: Returns the subjects, one item each; called once, at the first claim.
        read: Returns what computing needs of one subject.
        compute: Runs the models on a pass of subjects; no session is open.
        write: Stores one result; must be the same when called with the same result.
        conclude: Derives what needs all items, in the transaction that ends the step.
        pass_size: Most items in one forward pass; None is the run's batch size.
    """

    name: str
    plan: Callable[[Session, Step], Sequence[int]]
    read: Callable[[Session, Step, int], In]
    compute: Callable[[Resources, Sequence[In]], Sequence[Out]]
    write: Callable[[Session, Step, In, Out], None]
    conclude: Callable[[Session, Step], None] = lambda _session, _step: None
    pass_size: int | None = None


def options_of(step: Step) -> RunOptions:
    """Return the frozen options of the step's run."""
    return RunOptions.model_validate(step.batch.run.profile)


def run_step(work: StepWork[In, Out], batch_id: int) -> None:
    """Do the batch's current step if it is this one and nobody holds it.

    Raises:
        Ignore: If the chain must end here; the dispatcher rings again for what is unfinished.
    """
    resources = current()
    claim = _claim(work, batch_id, resources)
    if claim is None:
        log.info("doorbell_answered_by_another", batch_id=batch_id, step=work.name)
        raise Ignore
    reach(Failpoint.AFTER_CLAIM)
    try:
        with Heartbeat(resources.sessions, claim, resources.delivery.heartbeat_s) as heartbeat:
            goes_on = _Pass(work, claim, resources, heartbeat).run()
    except LeaseLost:
        log.warning("lease_lost", batch_id=batch_id, step=work.name)
        raise Ignore from None
    except TRANSIENT as error:
        _wait(claim, resources, error)
        raise Ignore from None
    if not goes_on:
        raise Ignore
    reach(Failpoint.BEFORE_ACK)


def _claim(work: StepWork[In, Out], batch_id: int, resources: Resources) -> Claim | None:
    with resources.sessions.begin() as session:
        claimed = delivery.claim_step(
            session,
            batch_id,
            work.name,
            owner=resources.owner,
            lease_s=resources.delivery.lease_s,
            models_key=resources.models_key,
        )
        if claimed is None:
            return None
        claim, first = claimed
        if first:
            step = session.get_one(Step, claim.step_id)
            delivery.add_items(session, claim, work.plan(session, step))
    return claim


def _wait(claim: Claim, resources: Resources, error: Exception) -> None:
    """Put the step back with a growing, jittered delay."""
    log.warning("step_waits", step_id=claim.step_id, error=str(error))
    with resources.sessions.begin() as session:
        attempts = session.get_one(Step, claim.step_id).attempts
        delay_s = min(2.0**attempts, resources.delivery.max_backoff_s)
        delay_s *= random.uniform(0.5, 1.0)  # noqa: S311  # jitter, not cryptography
        delivery.release_step(session, claim, delay_s=delay_s, error=str(error))


class _Pass(Generic[In, Out]):
    """Works off the open items of one claimed step, in passes."""

    def __init__(
        self, work: StepWork[In, Out], claim: Claim, resources: Resources, heartbeat: Heartbeat
    ) -> None:
        self.work = work
        self.claim = claim
        self.resources = resources
        self.heartbeat = heartbeat

    def run(self) -> bool:
        """Return whether the chain goes on; False if the rest was given back or must wait."""
        while open_ids := self._open_ids():
            for item_ids in open_ids:
                if not self._may_go_on():
                    self._give_back()
                    return False
                self._attempt(item_ids)
        with self.resources.sessions.begin() as session:
            delivery.fence(session, self.claim)
            step = session.get_one(Step, self.claim.step_id)
            self.work.conclude(session, step)
            delivery.finish_step(session, self.claim)
            window = self.resources.delivery.window
            return dispatching.hand_on(session, step.batch_id, window=window)

    def _open_ids(self) -> list[list[int]]:
        """Return the next passes: fresh items together, those that failed before alone."""
        with self.resources.sessions() as session:
            items = delivery.open_items(session, self.claim)
            size = self.work.pass_size
            if size is None:
                step = session.get_one(Step, self.claim.step_id)
                size = options_of(step).chain.batch_size
        fresh = [item.id for item in items if not item.attempts]
        again = [[item.id] for item in items if item.attempts]
        return [*_chunks(fresh, size), *again]

    def _may_go_on(self) -> bool:
        if self.heartbeat.lost:
            raise LeaseLost(self.claim.step_id)
        with self.resources.sessions() as session:
            return delivery.may_go_on(session, self.claim)

    def _give_back(self) -> None:
        with self.resources.sessions.begin() as session:
            delivery.release_step(session, self.claim)

    def _attempt(self, item_ids: Sequence[int]) -> None:
        """Count the attempt, then work; an item that was tried too often is quarantined."""
        with self.resources.sessions.begin() as session:
            delivery.fence(session, self.claim)
            items = [session.get_one(Item, item_id) for item_id in item_ids]
            spent = [i for i in items if i.attempts >= self.resources.delivery.max_attempts]
            for item in spent:
                delivery.settle_item(
                    session,
                    item.id,
                    ItemState.QUARANTINED,
                    error=item.error or "its worker died each time it was tried",
                )
            left = [item.id for item in items if item not in spent]
            delivery.count_attempt(session, left)
        try:
            self._compute(left)
        except TRANSIENT:
            with self.resources.sessions.begin() as session:
                delivery.count_attempt(session, left, by=-1)
            raise

    def _compute(self, item_ids: Sequence[int]) -> None:
        """Run one pass; an exception bisects it until the culprit stands alone."""
        if not item_ids:
            return
        started = time.perf_counter()
        try:
            subjects = self._read(item_ids)
            results = self.work.compute(self.resources, subjects)
        except PERMANENT as error:
            self._split_or(item_ids, error, ItemState.QUARANTINED)
        except TRANSIENT:
            raise
        except (OutOfMemory, Exception) as error:  # noqa: BLE001  # the one place that may
            self._split_or(item_ids, error, ItemState.READY)
        else:
            duration_s = (time.perf_counter() - started) / len(item_ids)
            for item_id, subject, result in zip(item_ids, subjects, results, strict=True):
                self._finish(item_id, subject, result, duration_s)

    def _split_or(self, item_ids: Sequence[int], error: Exception, state: ItemState) -> None:
        if len(item_ids) > 1:
            half = len(item_ids) // 2
            self._compute(item_ids[:half])
            self._compute(item_ids[half:])
            return
        log.warning("item_failed", item_id=item_ids[0], step=self.work.name, error=str(error))
        with self.resources.sessions.begin() as session:
            delivery.fence(session, self.claim)
            item = session.get_one(Item, item_ids[0])
            spent = item.attempts >= self.resources.delivery.max_attempts
            step = session.get_one(Step, self.claim.step_id)
            if isinstance(error, AnswerRefused):
                record_exchanges(session, step, item.subject_id, error.exchanges)
            delivery.settle_item(
                session,
                item.id,
                ItemState.QUARANTINED if spent else state,
                error="".join(traceback.format_exception(error))[-4000:],
            )

    def _read(self, item_ids: Sequence[int]) -> list[In]:
        with self.resources.sessions() as session:
            step = session.get_one(Step, self.claim.step_id)
            subjects = [session.get_one(Item, item_id).subject_id for item_id in item_ids]
            return [self.work.read(session, step, subject) for subject in subjects]

    def _finish(self, item_id: int, subject: In, result: Out, duration_s: float) -> None:
        with self.resources.sessions.begin() as session:
            delivery.fence(session, self.claim)
            step = session.get_one(Step, self.claim.step_id)
            self.work.write(session, step, subject, result)
            delivery.settle_item(session, item_id, ItemState.DONE, duration_s=duration_s)
            reach(Failpoint.BEFORE_COMMIT)
        reach(Failpoint.AFTER_COMMIT)


def record_exchanges(
    session: Session, step: Step, subject_id: int, exchanges: Sequence[Exchange]
) -> None:
    """Write what was asked of a language model and what it answered into the ledger."""
    session.add_all(
        LlmCall(
            run_id=step.batch.run_id,
            step_id=step.id,
            subject_id=subject_id,
            question=exchange.question,
            model=exchange.model,
            messages=list(exchange.messages),
            answer=exchange.answer,
            prompt_tokens=exchange.prompt_tokens,
            completion_tokens=exchange.completion_tokens,
            duration_s=exchange.duration_s,
            problem=exchange.problem,
        )
        for exchange in exchanges
    )


def _chunks(ids: Sequence[int], size: int) -> Iterator[list[int]]:
    for start in range(0, len(ids), size):
        yield list(ids[start : start + size])
