"""Arms of the measurement: which images each training gets, and whether they are augmented."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from chatgenimage.factory.gain.values import LabelledImage, Source


class Kind(StrEnum):
    """Purpose of an arm."""

    MAIN = "main"
    CONTROL = "control"
    CURVE = "curve"
    """With a part of the synthetic images."""
    ORIGIN = "origin"
    """With the synthetic images of one origin."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One choice of training images.

    Attributes:
        name: E.g. "real + synthetic"; unique.
        images: What it trains on.
        augment: Whether they are augmented.
        share: Of the synthetic images, in (0, 1]; None for an arm without.
        source: The origin of an arm of one origin.
    """

    name: str
    kind: Kind
    images: tuple[LabelledImage, ...]
    augment: bool = False
    share: float | None = None
    source: Source | None = None


def plan_arms(
    real: Sequence[LabelledImage], synthetic: Sequence[LabelledImage], *, seed: int = 0
) -> list[Arm]:
    """Return the arms that these images allow, in the order of the report."""
    raise NotImplementedError
