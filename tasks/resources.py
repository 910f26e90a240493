"""Resources of a worker process: database, image store and the model families of its role."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from chatgenimage.db.session import Sessions
from chatgenimage.tasks.adaptive_batch_size import PassSizes
from chatgenimage.tasks.errors import NotAble, Unassembled
from chatgenimage.tasks.options import DeliveryOptions
from chatgenimage.tasks.pass_images import Images
from chatgenimage.tasks.pass_threads import PassThreads
from chatgenimage.workers.interfaces import Family

C = TypeVar("C")


@dataclass(frozen=True)
class Resources:
    """Everything that a step needs; assembled once per process.

    Attributes:
        sessions: Opens database sessions.
        images: The image store.
        families: The loaded models of this worker's role.
        delivery: Leases and attempts.
        owner: This worker's name in its claims.
        models_key: Hash of its profile's families; only runs with the same hash are claimed.
        pass_sizes: Number of items of each step that fit into the device's memory.
        verified_runs: Runs whose images come from the weights that this process has.
        threads: They read and write images while the device computes; None: nothing overlaps.
    """

    sessions: Sessions
    images: Images
    families: Sequence[Family]
    delivery: DeliveryOptions
    owner: str
    models_key: str | None = None
    pass_sizes: PassSizes = field(default_factory=PassSizes)
    verified_runs: set[int] = field(default_factory=set)
    threads: PassThreads | None = None

    def able(self, capability: type[C]) -> C:
        """Return the family that satisfies a protocol of `chatgenimage.workers.interfaces`.

        Raises:
            NotAble: If this worker's role has none.
        """
        for family in self.families:
            if isinstance(family, capability):
                return family
        raise NotAble(
            f"worker {self.owner} has no {capability.__name__}: its role serves a queue but does "
            "not load the families for it. Correct `roles` in the profile."
        )


_current: list[Resources] = []


def use(resources: Resources) -> None:
    """Make these the process's resources."""
    _current[:] = [resources]


def current() -> Resources:
    """Return the process's resources.

    Raises:
        Unassembled: If there are none.
    """
    if not _current:
        raise Unassembled("no resources in this process; start workers with `factory worker`.")
    return _current[0]
