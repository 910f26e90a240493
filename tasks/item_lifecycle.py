"""Item lifecycle of a claimed step: start attempts, and retry or quarantine failed items."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from sqlalchemy.orm import Session

from chatgenimage.db import items
from chatgenimage.db.delivery import Claim
from chatgenimage.db.items import OpenItem
from chatgenimage.db.models import Step
from chatgenimage.db.states import ItemState
from chatgenimage.tasks.failures import TRANSIENT, Fault, inputs_of
from chatgenimage.tasks.ledger import (
    forget_answers,
    items_in_budget,
    record_exchanges,
    record_failed_call,
)
from chatgenimage.tasks.pass_images import Images
from chatgenimage.tasks.resources import Resources
from chatgenimage.tasks.step_definition import StepWork, options_of
from chatgenimage.workers.values import Exchange

In = TypeVar("In")
Made = TypeVar("Made")
Out = TypeVar("Out")

LEAST_DEATHS = 2
DIED = "its worker died in each attempt"


@dataclass(slots=True)
class ItemGroup(Generic[In, Made, Out]):
    """Items that are computed and written together: a pass, or a part of a failed pass.

    Variables of this type are called `part`, because `pass` is a keyword.

    Attributes:
        items: The items, each with an attempt counted.
        subjects: The inputs of each.
        images: The image store with the pass's images, as soon as they are being read.
        made: What the models made of each subject, until it is finished.
        results: What is to be written for each subject.
        duration_s: Seconds in the models, per item.
        gpu_peak_bytes: Most memory of the device that the pass used.
        error: Why the only item failed in a pass in which others did not.
        paid: Calls of servers for each item, besides those of a language model's answers.
    """

    items: list[OpenItem]
    subjects: list[In]
    images: Images | None = None
    made: Sequence[Made] | None = None
    results: Sequence[Out] | None = None
    error: Exception | None = None
    paid: Sequence[tuple[Exchange, ...]] | None = None
    duration_s: float = 0.0
    gpu_peak_bytes: int | None = None

    @property
    def ids(self) -> list[int]:
        """Return the items' ids."""
        return [item.id for item in self.items]

    @property
    def is_first_attempt(self) -> bool:
        """Return whether no item was tried before."""
        return all(item.attempts == 1 for item in self.items)

    @property
    def is_computed(self) -> bool:
        """Return whether there is something to write: results or a failure."""
        return not (self.made is None and self.results is None and self.error is None)

    def raise_error(self) -> None:
        """Raise the failure of the only item, if it failed."""
        if self.error:
            raise self.error

    def with_paid(self, fault: Fault) -> Fault:
        """Return the failure of the only item with the calls that were paid before it."""
        paid = self.paid[0] if self.paid else ()
        return replace(fault, exchanges=(*paid, *fault.exchanges))

    def by_outcome(self, outcomes: Sequence[Any]) -> "list[ItemGroup[In, Made, Out]]":
        """Return a group of the items with results, then each failed item alone.

        The failures of the environment are last: they make the step wait.

        Args:
            outcomes: The result or the exception of each item.
        """
        good = [i for i, outcome in enumerate(outcomes) if not isinstance(outcome, Exception)]
        failed = [i for i, outcome in enumerate(outcomes) if isinstance(outcome, Exception)]
        failed.sort(key=lambda i: isinstance(outcomes[i], TRANSIENT))
        groups = [replace(self.pick(good), made=[outcomes[i] for i in good])] if good else []
        return [*groups, *(replace(self.pick([i]), error=outcomes[i]) for i in failed)]

    def halves(self) -> "list[ItemGroup[In, Made, Out]]":
        """Return the first and the second half, with their results if there are any."""
        count = len(self.items)
        return [self.pick(range(count // 2)), self.pick(range(count // 2, count))]

    def pick(self, indices: Sequence[int]) -> "ItemGroup[In, Made, Out]":
        """Return some of the items, with what there is of them."""
        return replace(
            self,
            items=[self.items[index] for index in indices],
            subjects=[self.subjects[index] for index in indices],
            made=None if self.made is None else [self.made[index] for index in indices],
            results=None if self.results is None else [self.results[index] for index in indices],
            paid=None if self.paid is None else [self.paid[index] for index in indices],
        )


class StepItems(Generic[In, Made, Out]):
    """Starts and fails the items of one claimed step, in the transactions of its worker."""

    def __init__(self, work: StepWork[In, Made, Out], resources: Resources, claim: Claim) -> None:
        self._work = work
        self._resources = resources
        self._claim = claim
        self._planned = 0

    def plan(self, session: Session, step: Step) -> ItemGroup[In, Made, Out] | None:
        """Add the step's items that do not exist yet, and start a pass."""
        subject_ids = self._work.plan(session, step)
        self._planned = len(subject_ids)
        worker, most = self._resources.owner, self._most(session, step)
        started = items.add_items(session, self._claim, subject_ids, most=most, worker=worker)
        return self.take(session, step, started)

    def take(
        self, session: Session, step: Step, started: Sequence[OpenItem] = ()
    ) -> ItemGroup[In, Made, Out] | None:
        """Return the readable items among these, or start the next; None if all are finished.

        The next items are started here: an attempt of each is counted.
        """
        while started := started or self._start(session, step):
            part = self._read(session, step, started)
            if part.items:
                return part
            started = ()
        return None

    def take_untried(self, session: Session, step: Step) -> ItemGroup[In, Made, Out] | None:
        """Start another pass while one is computed; None if all items were tried before.

        An item that was tried before runs alone, so that the next death has one cause.
        """
        while started := self._start_untried(session, step):
            part = self._read(session, step, started)
            if part.items:
                return part
        return None

    def fail(
        self, session: Session, step: Step, item: OpenItem, fault: Fault, subject: In | None = None
    ) -> None:
        """Store a failure; the item is tried again, or quarantined after its last attempt."""
        is_last = item.attempts >= self._resources.delivery.max_attempts or fault.is_permanent
        record_exchanges(session, step, item.subject_id, fault.exchanges)
        if is_last and fault.is_unwritable:
            forget_answers(session, fault.exchanges)
        items.settle_items(
            session,
            self._claim,
            [item.id],
            ItemState.QUARANTINED if is_last else ItemState.READY,
            error=fault.text,
            inputs=None if subject is None else inputs_of(subject),
        )

    def too_long(self, session: Session, part: ItemGroup[In, Made, Out]) -> None:
        """Store that a pass took too long; its items keep the attempt and run alone next time.

        Running alone shows which item is the slow one.
        """
        if len(part.items) == 1:
            limit_s = self._resources.delivery.time_limit_s
            error = f"took too long for delivery.time_limit_s: {limit_s} s for a step"
            items.settle_items(session, self._claim, part.ids, ItemState.READY, error=error)

    def put_back(
        self, session: Session, step: Step, parts: Sequence[ItemGroup[In, Made, Out]]
    ) -> None:
        """Uncount the attempts of items that the environment interrupted; record what was paid."""
        items.put_back_items(session, [item_id for part in parts for item_id in part.ids])
        for part in parts:
            self.record_paid(session, step, part)
            record_failed_call(session, step, part.items[0].subject_id, part.error)

    def record_paid(self, session: Session, step: Step, part: ItemGroup[In, Made, Out]) -> None:
        """Record the calls of servers that were made for a part."""
        for item, exchanges in zip(part.items, part.paid or (), strict=False):
            record_exchanges(session, step, item.subject_id, exchanges)

    def fail_whole(self, session: Session, step: Step, fault: Fault) -> bool:
        """Store the failure of the step itself; return whether it is given up.

        Its open items are given up with it.
        """
        owner, batch = self._resources.owner, step.batch
        inputs = {"batch_id": batch.id, "index": batch.index, "size": batch.size}
        whole = items.fail_whole(
            session, self._claim, worker=owner, error=fault.text, inputs=inputs
        )
        if whole.attempts < self._resources.delivery.max_attempts and not fault.is_permanent:
            return False
        whole.state = ItemState.QUARANTINED
        left = [item.id for item in items.open_items(session, self._claim)]
        items.settle_items(session, self._claim, left, ItemState.QUARANTINED, error=fault.text)
        return True

    def are_all(self, part: ItemGroup[In, Made, Out]) -> bool:
        """Return whether a pass has all items that were planned: the step has one pass."""
        return len(part.items) == self._planned

    def is_short(self, session: Session, step: Step, part: ItemGroup[In, Made, Out]) -> bool:
        """Return whether a pass has fewer items than it may have: no others are left."""
        return len(part.items) < self._most(session, step)

    def _start(self, session: Session, step: Step) -> Sequence[OpenItem]:
        """Start a pass of untried items, or a single item that was tried before."""
        worker = self._resources.owner
        if untried := self._start_untried(session, step):
            return untried
        for item in items.open_items(session, self._claim):
            if item.attempts < self._most_tries(item):
                return [items.start_item(session, item.id, worker=worker)]
            self._quarantine_dead(session, step, item)
        return []

    def _start_untried(self, session: Session, step: Step) -> Sequence[OpenItem]:
        worker, most = self._resources.owner, self._most(session, step)
        return items.start_untried(session, self._claim, most=most, worker=worker)

    def _most(self, session: Session, step: Step) -> int:
        """Return the maximum number of items in a pass."""
        at_once = self._resources.concurrency_of(self._work.models)
        if at_once is not None:
            return items_in_budget(session, step, at_once, self._resources.paid_queues)
        wanted = self._work.pass_size or options_of(step).chain.batch_size
        return self._resources.pass_sizes.limit(self._work.name, wanted)

    def _most_tries(self, item: OpenItem) -> int:
        """Return the number of attempts for an item; at least 2 if one ended without an error.

        The cause may have been another item of its pass, something outside the process, or a crash
        of the database that lost the result (docs/adr/0010).
        """
        most = self._resources.delivery.max_attempts
        return most if item.error else max(most, LEAST_DEATHS)

    def _read(
        self, session: Session, step: Step, started: Sequence[OpenItem]
    ) -> ItemGroup[In, Made, Out]:
        """Return the readable items; reading failed for the others, which is stored."""
        part: ItemGroup[In, Made, Out] = ItemGroup([], [])
        for item in started:
            try:
                subject = self._work.read(session, step, item.subject_id)
            except TRANSIENT:
                raise
            except Exception as error:  # noqa: BLE001  # as in `_compute`
                self.fail(session, step, item, Fault.of(error))
            else:
                part.items.append(item)
                part.subjects.append(subject)
        return part

    def _quarantine_dead(self, session: Session, step: Step, item: OpenItem) -> None:
        """Quarantine an item whose attempts all ended without an exception: its worker died."""
        try:
            inputs = item.inputs or inputs_of(self._work.read(session, step, item.subject_id))
        except TRANSIENT:
            raise
        except Exception:  # noqa: BLE001  # it cannot be read either
            inputs = None
        died = f"{DIED}: {step.error}" if step.error else DIED
        items.settle_items(
            session,
            self._claim,
            [item.id],
            ItemState.QUARANTINED,
            error=item.error or died,
            inputs=inputs,
        )
