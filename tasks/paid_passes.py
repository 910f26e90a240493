"""Passes of steps that ask servers: each item is computed alone, with its calls for the ledger."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from celery.exceptions import SoftTimeLimitExceeded

from chatgenimage.tasks.ask_each import ask_each
from chatgenimage.tasks.failures import SomeFailed
from chatgenimage.tasks.item_lifecycle import ItemGroup
from chatgenimage.tasks.resources import Resources
from chatgenimage.tasks.step_definition import StepWork
from chatgenimage.workers.paid_calls import collect_calls
from chatgenimage.workers.values import Exchange

In = TypeVar("In")
Made = TypeVar("Made")
Out = TypeVar("Out")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Made]):
    """What was made of an item, or why it failed, and the calls that were made for it."""

    made: Made | None
    error: Exception | None
    calls: tuple[Exchange, ...]


def compute_each(
    work: StepWork[In, Made, Out], resources: Resources, part: ItemGroup[In, Made, Out]
) -> None:
    """Compute the items of a part, each alone and all at the same time; keep what was paid.

    Raises:
        SomeFailed: If an item failed and there are several; carries all outcomes.
        Exception: As `compute`, if there is only one item.
    """

    def alone(subject: In) -> Outcome[Made]:
        """Return the outcome of one item; only the time limit of the task is raised."""
        with collect_calls() as calls:
            try:
                [made] = work.compute(resources, [subject])
            except SoftTimeLimitExceeded:
                raise
            except Exception as error:  # noqa: BLE001  # it is raised again with all outcomes
                return Outcome(None, error, tuple(calls))
        return Outcome(made, None, tuple(calls))

    outcomes = ask_each(alone, part.subjects)
    part.paid = [outcome.calls for outcome in outcomes]
    if any(outcome.error for outcome in outcomes):
        if len(outcomes) == 1 and outcomes[0].error:
            raise outcomes[0].error
        raise SomeFailed([outcome.error or outcome.made for outcome in outcomes])
    part.made = [outcome.made for outcome in outcomes]  # type: ignore[misc]  # none failed
