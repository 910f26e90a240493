"""Protocols of a trainer: what trains a model from labelled images, and the trained model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from chatgenimage.factory.gain.values import Augmentation, LabelledImage, Prediction, Task


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """Settings of one training; equal for all arms but for the images and the augmentation.

    Attributes:
        seed: Decides the random start weights, the order of the images and the augmentation: a
            seed gives every arm the same start.
        steps: Number of optimizer steps, each on `batch_size` images.
        augment: How images are changed when they are read.
        on_step: Called after each step.
    """

    seed: int
    steps: int
    batch_size: int = 8
    augment: Augmentation = Augmentation.NONE
    on_step: Callable[[], None] = lambda: None


class TrainedModel(Protocol):
    """A model after its training."""

    def predict(self, images: Sequence[LabelledImage]) -> list[Prediction]:
        """Return a prediction for each image, in the same order."""
        ...


class Trainer(Protocol):
    """Trains one kind of model, always from the same start."""

    @property
    def name(self) -> str:
        """Return its name for `--trainer`."""
        ...

    @property
    def task(self) -> Task:
        """Return the task that it learns."""
        ...

    @property
    def identity(self) -> dict[str, object]:
        """Return everything that decides its start and its training, except for the plan.

        Equal identities train equal models. The values can be written as JSON.
        """
        ...

    def train(
        self, images: Sequence[LabelledImage], classes: Sequence[str], plan: TrainingPlan
    ) -> TrainedModel:
        """Return a model trained on the images; objects of other classes are background."""
        ...
