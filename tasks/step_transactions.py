"""Transactions of a claimed step: each writes a pass, and starts another or ends the step."""

import random
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import structlog
from sqlalchemy.orm import Session

from chatgenimage.db import delivery, dispatching, items
from chatgenimage.db.delivery import Claim
from chatgenimage.db.failpoints import Failpoint, reach
from chatgenimage.db.models import Item, Step
from chatgenimage.db.session import reading
from chatgenimage.db.states import ItemState
from chatgenimage.db.subjects import locate_item
from chatgenimage.tasks.failures import (
    TRANSIENT,
    Fault,
    StepFailed,
    WriteFailed,
    faults_of_the_step,
)
from chatgenimage.tasks.heartbeat import Heartbeat
from chatgenimage.tasks.item_lifecycle import ItemGroup, StepItems
from chatgenimage.tasks.ledger import BUDGET_WAIT_S, may_start_item
from chatgenimage.tasks.next_action import NextAction, StartedParts
from chatgenimage.tasks.resources import Resources
from chatgenimage.tasks.step_definition import StepWork

log = structlog.get_logger()

In = TypeVar("In")
Made = TypeVar("Made")
Out = TypeVar("Out")

SHARE_OF_TIME_LIMIT = 0.5
"""Share of the time limit after which no pass is started; the rest is given back."""
RETRY_S = 0.5
MOST_DOUBLINGS = 16

Write = Callable[[Session, Step], None]


class StepTransactions(Generic[In, Made, Out]):
    """Writes the passes of one claimed step, each in one transaction."""

    def __init__(
        self, work: StepWork[In, Made, Out], resources: Resources, claim: Claim, step: Step
    ) -> None:
        self._claim = claim
        self._step = step
        self._work = work
        self._resources = resources
        self._options = resources.delivery
        self._items = StepItems(work, resources, claim)
        self._whole: Item | None = None

    def start(self, session: Session, *, is_first: bool) -> NextAction[In, Made, Out]:
        """Plan the step if that is not done yet, and start its first pass.

        Raises:
            StepFailed: If that fails.
        """
        self._whole = None if is_first else items.find_whole(session, self._claim)
        with faults_of_the_step():
            is_planned = not is_first and self._whole is None
            part = (self._items.take if is_planned else self._items.plan)(session, self._step)
            return NextAction(part) if part else self._next(session, StartedParts())

    def start_ahead(
        self, session: Session, first: ItemGroup[In, Made, Out]
    ) -> ItemGroup[In, Made, Out] | None:
        """Start the second pass of a step with the first, if there are items for it.

        Raises:
            StepFailed: If that fails.
        """
        if not first.is_first_attempt or self._items.is_short(session, self._step, first):
            return None
        with faults_of_the_step():
            return self._items.take_untried(session, self._step)

    def may_start(self) -> bool:
        """Return whether a pass may be computed before the previous one is written."""
        if self._is_late():
            return False
        with reading(self._resources.sessions) as session:
            return delivery.may_continue(session, self._claim)

    def write(
        self, part: ItemGroup[In, Made, Out], rest: StartedParts[In, Made, Out]
    ) -> NextAction[In, Made, Out] | Fault:
        """Write the results and finish the items; return the failure if that is impossible."""

        def write_results(session: Session, step: Step) -> None:
            """Write the rows of each result, and mark the items as done."""
            try:
                for subject, result in zip(part.subjects, part.results or (), strict=True):
                    self._work.write(session, step, subject, result)
                self._items.record_paid(session, step, part)
                session.flush()
            except TRANSIENT:
                raise
            except Exception as error:
                raise WriteFailed from error
            items.settle_items(
                session,
                self._claim,
                part.ids,
                ItemState.DONE,
                duration_s=part.duration_s,
                gpu_peak_bytes=part.gpu_peak_bytes,
            )

        is_only = self._items.are_all(part) and not rest.parts and not self._is_late()
        try:
            return self._commit(write_results, rest, last_ids=part.ids if is_only else ())
        except WriteFailed as error:
            return Fault.of_unwritable(error.__cause__ or error, part.results or ())

    def fail(
        self, part: ItemGroup[In, Made, Out], fault: Fault, rest: StartedParts[In, Made, Out]
    ) -> NextAction[In, Made, Out]:
        """Store the failure of a single item."""
        [item], [subject] = part.items, part.subjects
        named = {}

        def write_failure(session: Session, step: Step) -> None:
            """Count the failure of the item, and keep what the log line names."""
            named["label"], named["candidate"] = locate_item(session, item.id)
            self._items.fail(session, step, item, part.with_paid(fault), subject)

        action = self._commit(write_failure, rest)
        log.warning(
            "item_failed", item_id=item.id, step=self._work.name, error=fault.summary, **named
        )
        return action

    def stop_at(
        self, part: ItemGroup[In, Made, Out], rest: StartedParts[In, Made, Out]
    ) -> NextAction[In, Made, Out]:
        """Give the step back because this pass took too long."""
        log.warning("pass_takes_too_long", step=self._work.name, items=part.ids)
        return self._commit(
            lambda session, _: self._items.too_long(session, part), rest, gives_back=True
        )

    def wait(
        self,
        parts: Sequence[ItemGroup[In, Made, Out]],
        rest: StartedParts[In, Made, Out],
        error: Exception,
        heartbeat: Heartbeat,
    ) -> NextAction[In, Made, Out]:
        """Put the step back with a growing, jittered delay; its items lose no attempt.

        While the database is away, retry as long as the lease may still be valid.
        """
        trace = None if isinstance(error, TRANSIENT) else error
        log.warning("step_waits", step=self._work.name, error=str(error), exc_info=trace)
        delay_s = self._delay_s()
        parts[0].error = error
        while not heartbeat.lost:
            try:
                with self._resources.sessions.begin() as session:
                    self._enter(session)
                    self._items.put_back(session, self._step, [*parts, *rest.parts])
                    delivery.release_step(session, self._claim, delay_s=delay_s, error=str(error))
            except TRANSIENT:
                time.sleep(RETRY_S)
            else:
                break
        return NextAction(has_ended=True)

    def put_back_or_end(self, session: Session, fault: Fault) -> NextAction[In, Made, Out]:
        """Put back a step that itself failed, or end it if its attempts are used up."""
        log.warning("step_failed", step=self._work.name, error=fault.summary)
        if self._items.fail_whole(session, self._step, fault):
            delivery.finish_step(session, self._claim)
            return self._hand_on(session)
        delivery.release_step(session, self._claim, delay_s=self._delay_s(), error=fault.summary)
        return NextAction(has_ended=True)

    def _commit(
        self,
        write: Write,
        rest: StartedParts[In, Made, Out],
        *,
        gives_back: bool = False,
        last_ids: Sequence[int] = (),
    ) -> NextAction[In, Made, Out]:
        """Write after `fence`; then start another pass if none is left, or give the rest back.

        With the ids of the step's last items it ends the step instead, if nothing stops it.
        """

        def choose(session: Session, may_continue: bool) -> NextAction[In, Made, Out]:  # noqa: FBT001
            """Return what comes next: another pass, nothing while others run, or the end."""
            if not gives_back and any(part.is_computed for part in rest.waiting):
                return NextAction()  # what is computed was paid for
            if gives_back or not may_continue or self._is_late():
                return NextAction() if rest.computing else self._give_back(session, rest)
            if rest.waiting:
                return NextAction()
            with faults_of_the_step():
                return self._next(session, rest)

        try:
            return self._transact(write, choose, last_ids)
        except StepFailed as error:
            fault = Fault.of(error.__cause__ or error)
            return self._transact(write, lambda session, _: self._fail_step(session, fault, rest))

    def _transact(
        self,
        write: Write,
        choose: Callable[[Session, bool], NextAction[In, Made, Out]],
        last_ids: Sequence[int] = (),
    ) -> NextAction[In, Made, Out]:
        """Write in one transaction, after `fence`, and return the next action.

        Args:
            write: Writes the rows.
            choose: Returns the action, given whether the step may continue; called after `write`.
            last_ids: The step's last items: if nothing stops it, the step ends without `choose`.
        """
        with self._resources.sessions.begin() as session:
            is_done = bool(last_ids) and delivery.finish_with(session, self._claim, last_ids)
            may_continue = self._enter(session, is_fenced=is_done)
            write(session, self._step)
            if is_done:
                with faults_of_the_step():
                    action = self._conclude(session)
            else:
                action = choose(session, may_continue)
            reach(Failpoint.BEFORE_COMMIT)
        reach(Failpoint.AFTER_COMMIT)
        return action

    def _enter(self, session: Session, *, is_fenced: bool = False) -> bool:
        """Load the step after `fence` into a transaction; return whether it may continue."""
        may_continue = is_fenced or delivery.fence(session, self._claim)
        session.add(self._step)
        return may_continue

    def _next(
        self, session: Session, rest: StartedParts[In, Made, Out]
    ) -> NextAction[In, Made, Out]:
        """End the step, or start a pass of open items."""
        if rest.computing:
            return NextAction(self._items.take_untried(session, self._step))
        while not delivery.finish_step(session, self._claim):
            if rest.is_last:
                return self._give_back(session, rest)
            if not may_start_item(session, self._step, self._resources.paid_queues):
                return self._give_back(session, rest, delay_s=BUDGET_WAIT_S)
            if part := self._items.take(session, self._step):
                return NextAction(part)
        return self._conclude(session)

    def _conclude(self, session: Session) -> NextAction[In, Made, Out]:
        """Write what the step derives from all its items, and pass the batch on."""
        self._work.conclude(session, self._step)
        session.flush()
        if self._whole:
            items.settle_items(session, self._claim, [self._whole.id], ItemState.DONE)
        return self._hand_on(session)

    def _fail_step(
        self, session: Session, fault: Fault, rest: StartedParts[In, Made, Out]
    ) -> NextAction[In, Made, Out]:
        items.put_back_items(session, rest.ids)
        return self.put_back_or_end(session, fault)

    def _hand_on(self, session: Session) -> NextAction[In, Made, Out]:
        window = self._options.window
        continues_alone = dispatching.hand_on(session, self._step.batch_id, window=window)
        return NextAction(has_ended=True, is_done=True, continues_alone=continues_alone)

    def _give_back(
        self, session: Session, rest: StartedParts[In, Made, Out], delay_s: float = 0.0
    ) -> NextAction[In, Made, Out]:
        items.put_back_items(session, rest.ids)
        delivery.release_step(session, self._claim, delay_s=delay_s)
        return NextAction(has_ended=True)

    def _delay_s(self) -> float:
        doublings = min(self._claim.attempt, MOST_DOUBLINGS)
        longest_s = min(2.0**doublings, self._options.max_backoff_s)
        return longest_s * random.uniform(0.5, 1.0)  # noqa: S311  # jitter, not cryptography

    def _is_late(self) -> bool:
        used_s = time.monotonic() - self._claim.claimed_at
        return used_s > SHARE_OF_TIME_LIMIT * self._options.time_limit_s
