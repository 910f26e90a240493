"""Definition of a step of the chain; `tasks.step_executor` runs it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy.orm import Session

from chatgenimage.db.models import Step
from chatgenimage.tasks.options import RunOptions, run_options
from chatgenimage.tasks.resources import Resources

In = TypeVar("In")
Made = TypeVar("Made")
Out = TypeVar("Out")


def as_it_is(_resources: Resources, _subject: Any, made: Any) -> Any:  # noqa: ANN401  # of any step
    """Return what was computed: nothing is left to do."""
    return made


def reads_no_images(_subject: Any) -> Sequence[str]:  # noqa: ANN401  # of any step
    """Return no images."""
    return ()


@dataclass(frozen=True)
class StepWork(Generic[In, Made, Out]):
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
        models: Capabilities that `compute` uses and that a server may have: then each item is
            computed alone, and a pass has as many items as the server takes at once and the run's
            budget pays for.
        images_of: Returns the sha256 of the images that `compute` and `finish` read for a subject,
            as often as they read it.
        finish: Does for one subject what needs no model: encodes, stores, measures. Any thread.
        overlaps: Whether a pass may be finished and written while the next one is computed. False
            for steps with a budget, which take an item only after the one before is paid.
    """

    name: str
    plan: Callable[[Session, Step], Sequence[int]]
    read: Callable[[Session, Step, int], In]
    compute: Callable[[Resources, Sequence[In]], Sequence[Made]]
    write: Callable[[Session, Step, In, Out], None]
    conclude: Callable[[Session, Step], None] = lambda _session, _step: None
    pass_size: int | None = None
    models: tuple[type, ...] = ()
    images_of: Callable[[In], Sequence[str]] = reads_no_images
    finish: Callable[[Resources, In, Made], Out] = as_it_is
    overlaps: bool = False


def names_asked(step: Step) -> tuple[str, ...]:
    """Return the labels of which an image of the step's batch should show one, if any.

    For an imported image it is unknown which of the labels it shows: all are looked for.
    """
    options = options_of(step).chain
    return options.class_list if options.source == "pictures" else (step.batch.label.name,)


def options_of(step: Step) -> RunOptions:
    """Return the frozen options of the step's run."""
    return run_options(step.batch.run)
