"""States of runs, batches, steps and items; origins, reviews and verdicts of candidates."""

from enum import StrEnum


class RunState(StrEnum):
    """State of a run; `paused` and `cancelled` are set by people."""

    ACTIVE = "active"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    DONE = "done"


class RunEvent(StrEnum):
    """Event of a run that sends a notification."""

    DONE = "done"
    CANCELLED = "cancelled"
    BUDGET_SPENT = "budget_spent"
    """The run is paused until its budget is raised."""
    CREDIT_SPENT = "credit_spent"
    """The run is paused until the account at a model's server is topped up."""
    KEY_REFUSED = "key_refused"
    """The run is paused until a model's server accepts the key."""
    NOTHING_SUCCEEDS = "nothing_succeeds"
    """The run is paused: all of its first items were given up for the same reason."""


class Channel(StrEnum):
    """Channel of a notification."""

    COMMAND = "command"
    WEBHOOK = "webhook"


class BatchState(StrEnum):
    """State of a batch.

    It waits for the dispatcher, is in flight (its chain is running), is done, or was not done when
    its run was cancelled.
    """

    WAITING = "waiting"
    IN_FLIGHT = "in_flight"
    DONE = "done"
    CANCELLED = "cancelled"


class StepState(StrEnum):
    """A step is ready to be queued, running under a lease, or done."""

    READY = "ready"
    RUNNING = "running"
    DONE = "done"


class ItemState(StrEnum):
    """State of an item; `quarantined` keeps the error and is never retried automatically."""

    READY = "ready"
    DONE = "done"
    QUARANTINED = "quarantined"


PAID_QUEUE = "language"
"""Queue of the steps whose items may cost money."""

WHOLE_STEP = -1
"""Subject of the item that represents its whole step; exists once the step itself failed."""
SURPLUS = "surplus"
"""`Placement.problem` of a valid place that is not needed: the run fills fewer."""


class Origin(StrEnum):
    """Kind of processing that produced a candidate."""

    IMPORTED = "imported"
    """A person's own image."""
    GENERATED = "generated"
    EDITED = "edited"
    FILLED = "filled"


class Marked(StrEnum):
    """The newest review of a candidate; `none` if it was not reviewed."""

    GOOD = "good"
    BAD = "bad"
    NONE = "none"


class ObjectAction(StrEnum):
    """What a person did to the objects of a candidate."""

    ADD = "add"
    CHANGE = "change"
    """Another label, box, or both."""
    DELETE = "delete"
    CHECK = "check"
    """Says that all objects are right and none is missing."""
    UNDO = "undo"
    """Takes the newest review back that was not taken back."""


class Verdict(StrEnum):
    """Decision of the filters; NULL in the database means not filtered yet."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
