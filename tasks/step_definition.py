"""Definition of a step of the chain; `tasks.step_executor` runs it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy.orm import Session

from chatgenimage.db.models import Step
from chatgenimage.tasks.options import RunOptions, run_options
from chatgenimage.tasks.resources import Resources

In = TypeVar("In")
Out = TypeVar("Out")


@dataclass(frozen=True)
class StepWork(Generic[In, Out]):
    """One step of the chain.

    Attributes:
        name: Name of the Celery task.
        plan: Returns the subjects, one item each; called at the first claim, and again after
            `plan` or `conclude` failed.
        read: Returns the inputs of one subject.
        compute: Runs the models on a pass of subjects; no session is open.
        write: Stores one result; idempotent for the same result.
        conclude: Derives results that need all items, in the transaction that ends the step.
        pass_size: Maximum number of items in one forward pass; None is the run's batch size.
        asks: Whether each item is a request to a language model: a pass has as many items as the
            model takes at once and the run's budget pays for. `compute` uses `ask_each`.
    """

    name: str
    plan: Callable[[Session, Step], Sequence[int]]
    read: Callable[[Session, Step, int], In]
    compute: Callable[[Resources, Sequence[In]], Sequence[Out]]
    write: Callable[[Session, Step, In, Out], None]
    conclude: Callable[[Session, Step], None] = lambda _session, _step: None
    pass_size: int | None = None
    asks: bool = False


def names_asked(step: Step) -> tuple[str, ...]:
    """Return the labels of which an image of the step's batch should show one, if any.

    For an imported image it is unknown which of the labels it shows: all are looked for.
    """
    options = options_of(step).chain
    return options.class_list if options.source == "pictures" else (step.batch.label.name,)


def options_of(step: Step) -> RunOptions:
    """Return the frozen options of the step's run."""
    return run_options(step.batch.run)
