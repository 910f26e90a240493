"""Execution of a claimed step: compute its items in passes, write each pass in one transaction.

The transaction that writes a pass also starts another, or ends the step, so a step costs one
transaction more than it has passes. With `Resources.threads`, a pass is written while the next one
is computed (docs/adr/0019): two passes of a step are started then, and the step's last pass is
written while the worker computes another step.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import replace
from functools import partial
from typing import Generic, TypeVar

from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy.orm import Session

from chatgenimage.db.delivery import Claim, LeaseLost
from chatgenimage.db.models import Step
from chatgenimage.tasks.failures import TRANSIENT, Fault, SomeFailed
from chatgenimage.tasks.heartbeat import Heartbeat
from chatgenimage.tasks.item_lifecycle import ItemGroup
from chatgenimage.tasks.next_action import NextAction, StartedParts
from chatgenimage.tasks.next_step_images import look_ahead, take_ahead
from chatgenimage.tasks.paid_passes import compute_each
from chatgenimage.tasks.pass_finishing import PassFinishing
from chatgenimage.tasks.pass_images import PassImages
from chatgenimage.tasks.resources import Resources
from chatgenimage.tasks.step_definition import StepWork
from chatgenimage.tasks.step_transactions import StepTransactions
from chatgenimage.workers.device import forget_peak_memory, peak_memory_bytes

In = TypeVar("In")
Made = TypeVar("Made")
Out = TypeVar("Out")


class StepExecutor(Generic[In, Made, Out]):
    """Executes the open items of one claimed step.

    Attributes:
        claim: The right to do it.
        is_handed_over: Whether `run` returned before the last pass was written.
    """

    def __init__(
        self, work: StepWork[In, Made, Out], resources: Resources, claim: Claim, step: Step
    ) -> None:
        self.claim = claim
        self.is_handed_over = False
        self._work = work
        self._resources = resources
        self._at_once = resources.concurrency_of(work.models)
        self._threads = resources.threads if work.overlaps and self._at_once is None else None
        self._transactions = StepTransactions(work, resources, claim, step)
        self._waiting: list[ItemGroup[In, Made, Out]] = []
        self._writing: Future[NextAction[In, Made, Out]] | None = None
        self._ending: NextAction[In, Made, Out] | None = None

    def start(self, session: Session, *, is_first: bool) -> None:
        """Plan the step if that is not done yet, and start its first pass, or its first two.

        Raises:
            StepFailed: If that fails.
        """
        action = self._transactions.start(session, is_first=is_first)
        self._follow(self._read_ahead(action, take_ahead(self._threads) if self._threads else None))
        if self._threads and action.part:
            ahead = self._transactions.start_ahead(session, action.part)
            self._follow(self._read_ahead(NextAction(ahead)))

    def fail(self, session: Session, fault: Fault) -> None:
        """Store that the step itself failed; it waits to be retried, or is given up."""
        self._follow(self._transactions.put_back_or_end(session, fault))

    def run(self, heartbeat: Heartbeat) -> None:
        """Compute the passes; then `continues_alone` has the outcome, or `is_handed_over` is true.

        Raises:
            LeaseLost: If another worker may have taken the step.
        """
        finishing = PassFinishing(self._work, self._resources, self._transactions, heartbeat)
        try:
            while part := self._next_part(heartbeat):
                if self._threads and part.is_first_attempt and not self._waiting:
                    look_ahead(self._work, self._resources, self._threads)
                self._compute_and_write(part, heartbeat, finishing)
        finally:
            if self._writing and not self.is_handed_over:
                wait([self._writing])

    def continues_alone(self) -> bool:
        """Return whether the chain continues by itself; afterwards `is_done` is known.

        Raises:
            LeaseLost: If another worker may have taken the step.
        """
        self._await_writing()
        return self._ending is not None and self._ending.continues_alone

    @property
    def is_done(self) -> bool:
        """Return whether the step is done; False if the rest was given back or must wait."""
        return self._ending is not None and self._ending.is_done

    def _next_part(self, heartbeat: Heartbeat) -> ItemGroup[In, Made, Out] | None:
        """Return what to compute now; an item that was tried before is computed alone."""
        if self.is_handed_over:
            return None
        if not self._waiting:
            self._await_writing()
        if not self._waiting:
            return None
        if heartbeat.lost:
            raise LeaseLost(self.claim.step_id)
        part = self._waiting.pop()
        if self._resources.threads and not part.is_first_attempt:
            self._resources.threads.drain()
        return part

    def _compute_and_write(
        self,
        part: ItemGroup[In, Made, Out],
        heartbeat: Heartbeat,
        finishing: PassFinishing[In, Made, Out],
    ) -> None:
        """Compute a pass and let it be written; a failed pass is halved."""
        try:
            try:
                fault = self._compute(part) if self._fits(part) else None
            except SomeFailed as some:
                self._waiting += reversed(part.by_outcome(some.outcomes))
                return
            if len(part.items) > 1 and (fault or part.made is None):
                self._waiting += reversed(part.halves())
                return
            self._await_writing()
            if not self._ending:
                self._write(part, partial(finishing.settle, part, fault), heartbeat)
        except LeaseLost:
            raise
        except SoftTimeLimitExceeded:
            self._await_writing()
            self._end_unless_ended(lambda rest: self._transactions.stop_at(part, rest))
        except Exception as error:  # noqa: BLE001  # items' own faults do not come this far
            self._await_writing()
            reason = error  # `error` ends with this block
            self._end_unless_ended(
                lambda rest: self._transactions.wait([part], rest, reason, heartbeat)
            )

    def _fits(self, part: ItemGroup[In, Made, Out]) -> bool:
        """Return whether a pass is computed already, or small enough for the device's memory."""
        size = len(part.items)
        return part.is_computed or size <= self._resources.pass_sizes.limit(self._work.name, size)

    def _compute(self, part: ItemGroup[In, Made, Out]) -> Fault | None:
        """Return the failure, if any; no part of the exception is kept after this call."""
        if part.made is not None:
            return None
        started = time.perf_counter()
        forget_peak_memory()
        resources = replace(self._resources, images=part.images or self._resources.images)
        try:
            part.raise_error()
            if self._at_once is None:
                part.made = self._work.compute(resources, part.subjects)
            else:
                compute_each(self._work, resources, part)
        except (SoftTimeLimitExceeded, SomeFailed, *TRANSIENT):
            raise
        except Exception as error:  # noqa: BLE001  # the one place that may
            fault = Fault.of(error)
            if fault.is_out_of_memory:
                self._resources.pass_sizes.too_big(self._work.name, len(part.items))
            return fault
        finally:
            part.duration_s = (time.perf_counter() - started) / len(part.items)
        part.gpu_peak_bytes = peak_memory_bytes()
        self._resources.pass_sizes.fitted(self._work.name, len(part.items))
        return None

    def _write(
        self,
        part: ItemGroup[In, Made, Out],
        settle: Callable[[StartedParts[In, Made, Out]], NextAction[In, Made, Out]],
        heartbeat: Heartbeat,
    ) -> None:
        """Write a computed part: here, or in the background while the next one is computed."""
        if self._threads is None:
            self._follow(settle(StartedParts(self._waiting)))
            return
        following = self._find_following(heartbeat)
        # A step that was claimed before may have items that were tried before: they are done here.
        is_last = not self._waiting and part.made is not None and self.claim.attempt == 1
        waiting = self._waiting[:-1] if following else self._waiting
        rest = StartedParts(tuple(waiting), following, is_last)
        self._writing = self._threads.write(lambda: self._read_ahead(settle(rest)))
        self.is_handed_over = is_last
        if not following and not is_last:
            self._await_writing()

    def _find_following(self, heartbeat: Heartbeat) -> ItemGroup[In, Made, Out] | None:
        """Return the part that may be computed before the present one is written."""
        if not self._waiting or heartbeat.lost or not self._waiting[-1].is_first_attempt:
            return None
        return self._waiting[-1] if self._transactions.may_start() else None

    def _await_writing(self) -> None:
        """Wait until the previous pass is written, and follow what its transaction chose."""
        if self._writing:
            action = self._writing.result()
            self._writing = None
            self._follow(action)

    def _end_unless_ended(
        self, end: Callable[[StartedParts[In, Made, Out]], NextAction[In, Made, Out]]
    ) -> None:
        """End the claim by a transaction, which gets the waiting passes; once only."""
        if not self._ending:
            self._follow(end(StartedParts(tuple(self._waiting))))

    def _follow(self, action: NextAction[In, Made, Out]) -> None:
        """Queue the pass that an action starts, or remember that the claim has ended."""
        if action.has_ended:
            self._ending = action
            self._waiting.clear()
        elif action.part:
            self._waiting.insert(0, action.part)

    def _read_ahead(
        self, action: NextAction[In, Made, Out], ahead: PassImages | None = None
    ) -> NextAction[In, Made, Out]:
        """Start to read the images of the pass that an action starts; return the action."""
        if self._threads and action.part:
            subjects = action.part.subjects
            names = [name for each in subjects for name in self._work.images_of(each)]
            action.part.images = PassImages(self._resources.images, self._threads, names, ahead)
        return action
