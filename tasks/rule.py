"""Filter rules: a score and the threshold that it must reach; plug-ins define `ImageRule`."""

from collections.abc import Callable
from dataclasses import dataclass

from chatgenimage.db.states import Origin
from chatgenimage.workers.values import Detection, RgbImage


@dataclass(frozen=True, slots=True)
class Rule:
    """A score that must reach its threshold, and the reason of a rejection.

    Attributes:
        name: Name of the score.
        reason: Reason of the rejection.
        at_most: True if lower values are better (a rank).
    """

    name: str
    reason: str
    at_most: bool = False

    def passes(self, value: float, threshold: float) -> bool:
        """Return whether a value is good enough."""
        return value <= threshold if self.at_most else value >= threshold

    def describe(self, threshold: float) -> str:
        """Return the required value as text."""
        return f"at {'most' if self.at_most else 'least'} {threshold:g}"


@dataclass(frozen=True, slots=True)
class RuleInput:
    """Values that a rule of a plug-in measures.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        text: What the image should show.
        names: Labels of which it should show one; empty if it may show anything.
        objects: What the detector found.
        parent: The image that it was edited or filled from; None for an initial image.
    """

    image: RgbImage
    text: str = ""
    names: tuple[str, ...] = ()
    objects: tuple[Detection, ...] = ()
    parent: RgbImage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRule(Rule):
    """A rule of a plug-in, with its own measurement.

    Attributes:
        threshold: If `thresholds.of_plugins` of a profile has none.
        measure: Returns the score; None: there is nothing to measure, which rejects nothing.
        origins: Of the candidates that it judges.
    """

    threshold: float
    measure: Callable[[RuleInput], float | None]
    origins: tuple[Origin, ...] = tuple(Origin)
