"""End of a pass: finish what the models made, write it, and store failures item by item."""

from concurrent.futures import wait
from dataclasses import replace
from functools import partial
from typing import Generic, TypeVar

from celery.exceptions import SoftTimeLimitExceeded

from chatgenimage.db.delivery import LeaseLost
from chatgenimage.tasks.failures import TRANSIENT, Fault
from chatgenimage.tasks.heartbeat import Heartbeat
from chatgenimage.tasks.item_lifecycle import ItemGroup
from chatgenimage.tasks.next_action import NextAction, StartedParts
from chatgenimage.tasks.resources import Resources
from chatgenimage.tasks.step_definition import StepWork
from chatgenimage.tasks.step_transactions import StepTransactions

In = TypeVar("In")
Made = TypeVar("Made")
Out = TypeVar("Out")


class PassFinishing(Generic[In, Made, Out]):
    """Finishes and writes the passes of one claimed step."""

    def __init__(
        self,
        work: StepWork[In, Made, Out],
        resources: Resources,
        transactions: StepTransactions[In, Made, Out],
        heartbeat: Heartbeat,
    ) -> None:
        self._work = work
        self._resources = resources
        self._transactions = transactions
        self._heartbeat = heartbeat

    def settle(
        self, part: ItemGroup[In, Made, Out], fault: Fault | None, rest: StartedParts[In, Made, Out]
    ) -> NextAction[In, Made, Out]:
        """Finish and write a pass, or store the failure of its only item.

        What cannot be written together is written in halves, until the failing item is alone. The
        last of these transactions starts another pass or ends the step. After a failure of the
        environment the step is put back to wait.

        Raises:
            LeaseLost: If another worker may have taken the step.
        """
        left = [(part, fault)]
        action: NextAction[In, Made, Out] = NextAction()
        try:
            if fault is None:
                left = self._finish(part)
            while left and not action.has_ended:
                action = self._settle_one(left, rest)
        except (LeaseLost, SoftTimeLimitExceeded):
            raise
        except Exception as error:  # noqa: BLE001  # items' own faults do not come this far
            return self._transactions.wait([each for each, _ in left], rest, error, self._heartbeat)
        return action

    def _settle_one(
        self,
        left: list[tuple[ItemGroup[In, Made, Out], Fault | None]],
        rest: StartedParts[In, Made, Out],
    ) -> NextAction[In, Made, Out]:
        """Write the last part of the list and remove it, or replace it by its halves."""
        part, fault = left[-1]
        others = replace(rest, waiting=(*rest.waiting, *(each for each, _ in left[:-1])))
        written = (
            self._transactions.fail(part, fault, others)
            if fault
            else self._transactions.write(part, others)
        )
        left.pop()
        if not isinstance(written, Fault):
            return written
        if len(part.items) > 1:
            left += [(half, None) for half in reversed(part.halves())]
        else:
            left.append((part, written))
        return NextAction()

    def _finish(
        self, part: ItemGroup[In, Made, Out]
    ) -> list[tuple[ItemGroup[In, Made, Out], Fault | None]]:
        """Return the items that could be finished, last, after each that failed."""
        results, faults = self._results_of(part)
        failed = [(part.pick([index]), faults[index]) for index in sorted(faults, reverse=True)]
        there = [index for index in range(len(part.items)) if index not in faults]
        finished = part.pick(there)
        finished.made, finished.results = None, [results[index] for index in there]
        return [*failed, *([(finished, None)] if there else [])]

    def _results_of(
        self, part: ItemGroup[In, Made, Out]
    ) -> tuple[dict[int, Out], dict[int, Fault]]:
        """Return the results and the failures by index; in the background several at once."""
        threads = self._resources.threads if self._work.overlaps else None
        resources = replace(self._resources, images=part.images or self._resources.images)
        pairs = list(zip(part.subjects, part.made or (), strict=True))
        finish = partial(self._work.finish, resources)
        calls = [threads.start(finish, *pair) for pair in pairs] if threads else []
        wait(calls)
        results, faults = {}, {}
        for index, pair in enumerate(pairs):
            try:
                results[index] = calls[index].result() if calls else finish(*pair)
            except (SoftTimeLimitExceeded, *TRANSIENT):
                raise
            except Exception as error:  # noqa: BLE001  # as in `_compute`
                faults[index] = Fault.of(error)
        return results, faults
