"""Resources of a worker process: database, image store and the model families of its role."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from chatgenimage.db.session import Sessions
from chatgenimage.db.states import PAID_QUEUE
from chatgenimage.tasks.adaptive_batch_size import PassSizes
from chatgenimage.tasks.errors import NotAble, Unassembled
from chatgenimage.tasks.options import DeliveryOptions
from chatgenimage.tasks.pass_images import Images
from chatgenimage.tasks.pass_threads import PassThreads
from chatgenimage.workers.interfaces import (
    BackgroundEditor,
    Captioner,
    Detector,
    DetectorSegmenter,
    Family,
    ImageGenerator,
    ImageTextEncoder,
    LanguageModel,
    ObjectFiller,
    RemoteFamily,
    Segmenter,
    VisualJudge,
)

C = TypeVar("C")

KEYS: dict[type, str] = {
    LanguageModel: "language",
    ImageGenerator: "diffusion",
    ObjectFiller: "filling",
    BackgroundEditor: "editing",
    Captioner: "captioning",
    Detector: "detection",
    DetectorSegmenter: "detection",
    Segmenter: "segmentation",
    ImageTextEncoder: "similarity",
    VisualJudge: "judging",
}
"""Key in a profile's families of the model that is preferred for a capability."""
ONLY_BY_KEY = (VisualJudge,)
"""Capabilities that are used only if the profile has their key."""


@dataclass(frozen=True)
class Resources:
    """Everything that a step needs; assembled once per process.

    Attributes:
        sessions: Opens database sessions.
        images: The image store.
        families: The loaded models of this worker's role.
        keys: The key of each in the profile; empty: the first model that is able is taken.
        delivery: Leases and attempts.
        owner: This worker's name in its claims.
        models_key: Hash of its profile's families; only runs with the same hash are claimed.
        pass_sizes: Number of items of each step that fit into the device's memory.
        verified_runs: Runs whose images come from the weights that this process has.
        threads: They read and write images while the device computes; None: nothing overlaps.
        paid_queues: Queues of the steps whose items may cost money.
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
    keys: Sequence[str] = ()
    paid_queues: frozenset[str] = frozenset({PAID_QUEUE})

    def find(self, capability: type[C]) -> C | None:
        """Return the family that satisfies a protocol, None if there is none.

        The one under the capability's own key of the profile is taken, else the first.
        """
        for key, family in zip(self.keys, self.families, strict=False):
            if key == KEYS.get(capability) and isinstance(family, capability):
                return family
        if capability in ONLY_BY_KEY:
            return None
        return next((family for family in self.families if isinstance(family, capability)), None)

    def concurrency_of(self, capabilities: Sequence[type]) -> int | None:
        """Return how many items a step may ask servers about at once; None: no model is remote.

        Where local models work in the same step it is 1: they work in one thread at a time.
        """
        wanted: list[object] = [self.find(capability) for capability in capabilities]
        found: list[object] = [family for family in wanted if family]
        remote = [family.concurrency for family in found if isinstance(family, RemoteFamily)]
        if not remote:
            return None
        return min(remote) if len(remote) == len(found) else 1

    def able(self, capability: type[C]) -> C:
        """Return the family that satisfies a protocol of `chatgenimage.workers.interfaces`.

        Raises:
            NotAble: If this worker's role has none.
        """
        family = self.find(capability)
        if family is not None:
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
