"""The states of runs, batches, steps and items, and what candidates can be."""

from enum import StrEnum


class RunState(StrEnum):
    """Where a run stands; `paused` and `cancelled` are set by people."""

    ACTIVE = "active"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    DONE = "done"


class RunEvent(StrEnum):
    """What happens to a run that others want to be told."""

    DONE = "done"
    CANCELLED = "cancelled"
    BUDGET_SPENT = "budget_spent"
    """It rests until somebody gives it more."""


class Channel(StrEnum):
    """How they are told."""

    COMMAND = "command"
    WEBHOOK = "webhook"


class BatchState(StrEnum):
    """A batch waits for the dispatcher, is in flight down its chain, or is done."""

    WAITING = "waiting"
    IN_FLIGHT = "in_flight"
    DONE = "done"


class StepState(StrEnum):
    """A step is ready (to be rung for), running under a lease, or done."""

    READY = "ready"
    RUNNING = "running"
    DONE = "done"


class ItemState(StrEnum):
    """One unit of a step's work; `quarantined` keeps the error and never runs again by itself."""

    READY = "ready"
    DONE = "done"
    QUARANTINED = "quarantined"


WHOLE_STEP = -1
"""The subject of the item that stands for its step as a whole: there once that itself failed."""


class Origin(StrEnum):
    """How a candidate came to be."""

    IMPORTED = "imported"
    """A person's own picture."""
    GENERATED = "generated"
    EDITED = "edited"
    FILLED = "filled"


class Marked(StrEnum):
    """What people say of a candidate: its newest mark, or that there is none."""

    GOOD = "good"
    BAD = "bad"
    NONE = "none"


class Verdict(StrEnum):
    """What the filters decided; NULL in the database means not judged yet."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
