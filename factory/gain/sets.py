"""Three sets of an experiment: real training images, synthetic candidates, test images."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from chatgenimage.factory.gain.values import LabelledImage


@dataclass(frozen=True, slots=True)
class ImageSets:
    """The three sets of an experiment, after the guards.

    Attributes:
        real: The real training set; may be empty.
        synthetic: The candidates; may be empty.
        classes: Names that are measured, as the test set spells them.
        notes: What was removed, and warnings.
    """

    real: tuple[LabelledImage, ...]
    synthetic: tuple[LabelledImage, ...]
    test: tuple[LabelledImage, ...]
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def named(self) -> dict[str, tuple[LabelledImage, ...]]:
        """Return the sets that a person gave, by their names in messages."""
        sets = {"test": self.test, "train": self.real, "synthetic": self.synthetic}
        return {name: images for name, images in sets.items() if images or name == "test"}

    def changed(
        self, change: Callable[[tuple[LabelledImage, ...]], Iterable[LabelledImage]]
    ) -> "ImageSets":
        """Return the sets after a change of each."""
        return replace(
            self,
            real=tuple(change(self.real)),
            synthetic=tuple(change(self.synthetic)),
            test=tuple(change(self.test)),
        )

    def noted(self, *notes: str) -> "ImageSets":
        """Return the sets with further notes."""
        return replace(self, notes=(*self.notes, *notes))
