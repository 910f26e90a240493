"""Next action of a worker after a transaction, and the rest of its step that it has started."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from chatgenimage.tasks.item_lifecycle import ItemGroup

In = TypeVar("In")
Made = TypeVar("Made")
Out = TypeVar("Out")


@dataclass(frozen=True, slots=True)
class NextAction(Generic[In, Made, Out]):
    """The next action after a transaction.

    Attributes:
        part: Another pass, which is started.
        has_ended: Whether the claim is over: the step is done, or it was given back.
        is_done: Whether the step is done.
        continues_alone: Whether the chain continues by itself.
    """

    part: ItemGroup[In, Made, Out] | None = None
    has_ended: bool = False
    is_done: bool = False
    continues_alone: bool = False


@dataclass(frozen=True, slots=True)
class StartedParts(Generic[In, Made, Out]):
    """What the worker has started of a step besides the pass that is written.

    Attributes:
        waiting: Parts that nothing is computed of.
        computing: The pass that is computed meanwhile; only new items are started then.
        is_last: Whether the worker has turned to another step: nothing can be started any more.
    """

    waiting: Sequence[ItemGroup[In, Made, Out]] = ()
    computing: ItemGroup[In, Made, Out] | None = None
    is_last: bool = False

    @property
    def parts(self) -> "list[ItemGroup[In, Made, Out]]":
        """Return all of it."""
        return [*self.waiting, *([self.computing] if self.computing else [])]

    @property
    def ids(self) -> list[int]:
        """Return the ids of the items."""
        return [item_id for part in self.parts for item_id in part.ids]
