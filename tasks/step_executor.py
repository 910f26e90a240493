"""Execution of a claimed step: compute its items in passes, write each pass in one transaction.

The transaction that writes a pass also starts the next one, or ends the step, so a step costs one
transaction more than it has passes.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy.orm import Session

from chatgenimage.db import delivery, dispatching, items
from chatgenimage.db.delivery import Claim, LeaseLost
from chatgenimage.db.failpoints import Failpoint, reach
from chatgenimage.db.models import Item, Step
from chatgenimage.db.states import ItemState
from chatgenimage.db.subjects import locate_item
from chatgenimage.tasks.failures import (
    TRANSIENT,
    Fault,
    SomeFailed,
    StepFailed,
    WriteFailed,
    faults_of_the_step,
)
from chatgenimage.tasks.heartbeat import Heartbeat
from chatgenimage.tasks.item_lifecycle import ItemGroup, StepItems
from chatgenimage.tasks.ledger import BUDGET_WAIT_S, may_start_item
from chatgenimage.tasks.resources import Resources
from chatgenimage.tasks.step_definition import StepWork
from chatgenimage.workers.device import forget_peak_memory, peak_memory_bytes

log = structlog.get_logger()

In = TypeVar("In")
Out = TypeVar("Out")

SHARE_OF_TIME_LIMIT = 0.5
"""Share of the time limit after which no pass is started; the rest is given back."""
RETRY_S = 0.5
MOST_DOUBLINGS = 16

Write = Callable[[Session, Step], None]


@dataclass(frozen=True, slots=True)
class NextAction(Generic[In, Out]):
    """The next action after a transaction: another pass, or the end of the step or chain."""

    part: ItemGroup[In, Out] | None = None
    goes_on: bool = False


class StepExecutor(Generic[In, Out]):
    """Executes the open items of one claimed step."""

    def __init__(
        self, work: StepWork[In, Out], resources: Resources, claim: Claim, step: Step
    ) -> None:
        self.claim = claim
        self._step = step
        self._work = work
        self._resources = resources
        self._options = resources.delivery
        self._items = StepItems(work, resources, claim)
        self._waiting: list[ItemGroup[In, Out]] = []
        self._goes_on = False
        self._whole: Item | None = None

    def start(self, session: Session, *, is_first: bool) -> None:
        """Plan the step if that is not done yet, and start its first pass.

        Raises:
            StepFailed: If that fails.
        """
        self._whole = None if is_first else items.find_whole(session, self.claim)
        with faults_of_the_step():
            is_planned = not is_first and self._whole is None
            part = (self._items.take if is_planned else self._items.plan)(session, self._step)
            turn = NextAction(part) if part else self._next_turn(session)
        self._follow(turn)

    def fail(self, session: Session, fault: Fault) -> None:
        """Store that the step itself failed; it waits to be retried, or is given up."""
        self._follow(self._turn_after(session, fault))

    def run(self, heartbeat: Heartbeat) -> bool:
        """Return whether the chain continues; False if the rest was given back or must wait.

        Raises:
            LeaseLost: If another worker may have taken the step.
        """
        while self._waiting:
            if heartbeat.lost:
                raise LeaseLost(self.claim.step_id)
            part = self._waiting.pop()
            try:
                self._work_off(part)
            except LeaseLost:
                raise
            except SoftTimeLimitExceeded:
                self._stop_at(part)
            except Exception as error:  # noqa: BLE001  # items' own faults do not come this far
                self._wait(part, error, heartbeat)
                return False
        return self._goes_on

    def _work_off(self, part: ItemGroup[In, Out]) -> None:
        """Compute and write; a failed part is halved until the failing item is alone."""
        if part.results is None and len(part.items) > self._items.fitting(len(part.items)):
            self._split(part)
            return
        try:
            fault = self._compute(part) or self._store(part)
        except SomeFailed as some:
            self._waiting += reversed(part.by_outcome(some.outcomes))
            return
        if fault is None:
            return
        if fault.is_out_of_memory:
            self._resources.pass_sizes.too_big(self._work.name, len(part.items))
        if len(part.items) > 1:
            self._split(part)
        else:
            self._fail(part, fault)

    def _compute(self, part: ItemGroup[In, Out]) -> Fault | None:
        """Return the failure, if any; no part of the exception is kept after this call."""
        if part.results is not None:
            return None
        started = time.perf_counter()
        forget_peak_memory()
        try:
            part.raise_error()
            part.results = self._work.compute(self._resources, part.subjects)
        except (SoftTimeLimitExceeded, SomeFailed, *TRANSIENT):
            raise
        except Exception as error:  # noqa: BLE001  # the one place that may
            return Fault.of(error)
        finally:
            part.duration_s = (time.perf_counter() - started) / len(part.items)
        part.gpu_peak_bytes = peak_memory_bytes()
        self._resources.pass_sizes.fitted(self._work.name, len(part.items))
        return None

    def _store(self, part: ItemGroup[In, Out]) -> Fault | None:
        """Write the results and finish the items; return the failure, if any."""

        def write(session: Session, step: Step) -> None:
            try:
                for subject, result in zip(part.subjects, part.results or (), strict=True):
                    self._work.write(session, step, subject, result)
                session.flush()
            except TRANSIENT:
                raise
            except Exception as error:
                raise WriteFailed from error
            items.settle_items(
                session,
                part.ids,
                ItemState.DONE,
                duration_s=part.duration_s,
                gpu_peak_bytes=part.gpu_peak_bytes,
            )

        try:
            self._commit(write)
        except WriteFailed as error:
            return Fault.of_unwritable(error.__cause__ or error, part.results or ())
        return None

    def _fail(self, part: ItemGroup[In, Out], fault: Fault) -> None:
        [item], [subject] = part.items, part.subjects
        named = {}

        def write(session: Session, step: Step) -> None:
            named["label"], named["candidate"] = locate_item(session, item.id)
            self._items.fail(session, step, item, fault, subject)

        self._commit(write)
        log.warning(
            "item_failed", item_id=item.id, step=self._work.name, error=fault.summary, **named
        )

    def _stop_at(self, part: ItemGroup[In, Out]) -> None:
        """Give the step back because this pass took too long."""
        log.warning("pass_takes_too_long", step=self._work.name, items=part.ids)
        self._commit(lambda session, _: self._items.too_long(session, part), gives_back=True)

    def _split(self, part: ItemGroup[In, Out]) -> None:
        self._waiting += reversed(part.halves())

    def _commit(self, write: Write = lambda *_: None, *, gives_back: bool = False) -> None:
        """Write after `fence`; then start the next pass if none is left, or give the rest back."""

        def choose(session: Session, may_go_on: bool) -> NextAction[In, Out] | None:  # noqa: FBT001
            if not gives_back and any(part.is_computed for part in self._waiting):
                return None  # what is computed was paid for
            if gives_back or not may_go_on or self._is_late():
                return self._give_back(session)
            if self._waiting:
                return None
            with faults_of_the_step():
                return self._next_turn(session)

        try:
            self._transact(write, choose)
        except StepFailed as error:
            fault = Fault.of(error.__cause__ or error)
            self._transact(write, lambda session, _: self._turn_after(session, fault))

    def _transact(
        self, write: Write, choose: Callable[[Session, bool], NextAction[In, Out] | None]
    ) -> None:
        with self._resources.sessions.begin() as session:
            may_go_on = self._enter(session)
            write(session, self._step)
            turn = choose(session, may_go_on)
            reach(Failpoint.BEFORE_COMMIT)
        reach(Failpoint.AFTER_COMMIT)
        if turn:
            self._follow(turn)

    def _enter(self, session: Session) -> bool:
        """Load the step after `fence` into a transaction; return whether it may continue."""
        may_go_on = delivery.fence(session, self.claim)
        session.add(self._step)
        return may_go_on

    def _follow(self, turn: NextAction[In, Out]) -> None:
        self._waiting = [turn.part] if turn.part else []
        self._goes_on = turn.goes_on

    def _next_turn(self, session: Session) -> NextAction[In, Out]:
        """End the step, or start a pass of open items."""
        while not delivery.finish_step(session, self.claim):
            if not may_start_item(session, self._step):
                return self._give_back(session, delay_s=BUDGET_WAIT_S)
            if part := self._items.take(session, self._step):
                return NextAction(part)
        self._work.conclude(session, self._step)
        session.flush()
        if self._whole:
            items.settle_items(session, [self._whole.id], ItemState.DONE)
        return self._hand_on(session)

    def _turn_after(self, session: Session, fault: Fault) -> NextAction[In, Out]:
        """Put back a step that itself failed, or end it if its attempts are used up."""
        log.warning("step_failed", step=self._work.name, error=fault.summary)
        if self._items.fail_whole(session, self._step, fault):
            delivery.finish_step(session, self.claim)
            return self._hand_on(session)
        delivery.release_step(session, self.claim, delay_s=self._delay_s(), error=fault.summary)
        return NextAction()

    def _hand_on(self, session: Session) -> NextAction[In, Out]:
        window = self._options.window
        return NextAction(goes_on=dispatching.hand_on(session, self._step.batch_id, window=window))

    def _give_back(self, session: Session, delay_s: float = 0.0) -> NextAction[In, Out]:
        items.put_back_items(session, [item_id for part in self._waiting for item_id in part.ids])
        delivery.release_step(session, self.claim, delay_s=delay_s)
        return NextAction()

    def _wait(self, part: ItemGroup[In, Out], error: Exception, heartbeat: Heartbeat) -> None:
        """Put the step back with a growing, jittered delay; its items lose no attempt.

        While the database is away, retry as long as the lease may still be valid.
        """
        trace = None if isinstance(error, TRANSIENT) else error
        log.warning("step_waits", step=self._work.name, error=str(error), exc_info=trace)
        delay_s = self._delay_s()
        part.error = error
        left = [part, *self._waiting]
        while not heartbeat.lost:
            try:
                with self._resources.sessions.begin() as session:
                    self._enter(session)
                    self._items.put_back(session, self._step, left)
                    delivery.release_step(session, self.claim, delay_s=delay_s, error=str(error))
            except TRANSIENT:
                time.sleep(RETRY_S)
            else:
                return

    def _delay_s(self) -> float:
        doublings = min(self.claim.attempt, MOST_DOUBLINGS)
        longest_s = min(2.0**doublings, self._options.max_backoff_s)
        return longest_s * random.uniform(0.5, 1.0)  # noqa: S311  # jitter, not cryptography

    def _is_late(self) -> bool:
        used_s = time.monotonic() - self.claim.claimed_at
        return used_s > SHARE_OF_TIME_LIMIT * self._options.time_limit_s
