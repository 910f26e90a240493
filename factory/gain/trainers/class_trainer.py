"""Trainers of torchvision's classifiers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torchvision
from torch import nn
from torchvision import models
from torchvision.transforms import v2

from chatgenimage.factory.gain.interfaces import TrainingPlan
from chatgenimage.factory.gain.trainers.augmentation import augment_images
from chatgenimage.factory.gain.trainers.training_loop import (
    Example,
    Examples,
    Recipe,
    device_of,
    fit,
    iter_pixels,
)
from chatgenimage.factory.gain.trainers.weights import NONE, identify_weights, load_weights
from chatgenimage.factory.gain.values import LabelledImage, Prediction, Task

MEAN, SPREAD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
"""Of ImageNet, with which torchvision's weights were trained."""
SMALL_CHANNELS = (32, 64, 128, 256)


@dataclass(frozen=True, slots=True)
class ClassModel:
    """A kind of classifier; `published` is the name of torchvision's own weights."""

    build: Callable[[int], nn.Module]
    recipe: Recipe
    published: str = ""
    image_size_px: int = 224


def build_small_classifier(class_count: int) -> nn.Module:
    """Return a small network for small images, with random weights."""
    layers: list[nn.Module] = []
    before = 3
    for after in SMALL_CHANNELS:
        layers += [nn.Conv2d(before, after, 3, 2, 1), nn.GroupNorm(8, after), nn.SiLU()]
        before = after
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, class_count)
    )


CLASS_MODELS = {
    "small-classes": ClassModel(build_small_classifier, Recipe(2e-3), image_size_px=64),
    "resnet18": ClassModel(
        lambda count: models.resnet18(weights=None, num_classes=count),
        Recipe(5e-4),
        "ResNet18_Weights.DEFAULT",
    ),
    "mobilenet": ClassModel(
        lambda count: models.mobilenet_v3_small(weights=None, num_classes=count),
        Recipe(5e-4),
        "MobileNet_V3_Small_Weights.DEFAULT",
    ),
}


@dataclass(frozen=True, slots=True)
class ClassTrainer:
    """Trains a classifier of torchvision."""

    name: str
    weights: str = NONE
    image_size_px: int | None = None
    task: Task = Task.CLASSIFY

    @property
    def identity(self) -> dict[str, object]:
        """Return what decides its start and its training besides the plan."""
        recipe = CLASS_MODELS[self.name].recipe
        return {
            "trainer": self.name,
            "weights": identify_weights(self.weights),
            "image_size_px": self._size_px(),
            "learning_rate": recipe.learning_rate,
            "weight_decay": recipe.weight_decay,
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
        }

    def train(
        self, images: Sequence[LabelledImage], classes: Sequence[str], plan: TrainingPlan
    ) -> "TrainedClassModel":
        """Return a model trained on the images, all of which have one of the classes."""
        kind, size_px = CLASS_MODELS[self.name], self._size_px()
        torch.manual_seed(plan.seed)
        model = kind.build(len(classes))
        load_weights(model, self.weights, kind.published)
        torch.manual_seed(plan.seed)  # the same augmentation, whatever the start consumed
        transform = augment_images(plan.augment, size_px)
        examples = Examples(images, classes, transform)
        return TrainedClassModel(
            fit(model, examples, _loss, kind.recipe, plan), tuple(classes), size_px
        )

    def _size_px(self) -> int:
        return self.image_size_px or CLASS_MODELS[self.name].image_size_px


@dataclass(frozen=True, slots=True)
class TrainedClassModel:
    """A trained classifier."""

    model: nn.Module
    classes: tuple[str, ...]
    size_px: int

    @torch.inference_mode()
    def predict(self, images: Sequence[LabelledImage]) -> list[Prediction]:
        """Return the class of each image."""
        device, resize = device_of(self.model), to_square(self.size_px)
        found: list[int] = []
        for batch in iter_pixels(images):
            pixels = torch.stack([resize(one) for one in batch]).to(device)
            found += self.model(_normalize(pixels)).argmax(1).tolist()
        return [Prediction(label=self.classes[index]) for index in found]


def to_square(size_px: int) -> v2.Transform:
    """Return a transform to the size that a model gets; the aspect ratio is not kept."""
    return v2.Resize((size_px, size_px), antialias=True)


def _normalize(pixels: torch.Tensor) -> torch.Tensor:
    """Return (B, 3, H, W) uint8 RGB as float, as torchvision's weights expect it."""
    normalized: torch.Tensor = v2.functional.normalize(pixels.float() / 255, MEAN, SPREAD)
    return normalized


def _loss(model: nn.Module, batch: list[Example], device: torch.device) -> torch.Tensor:
    pixels = torch.stack([image.as_subclass(torch.Tensor) for image, _ in batch]).to(device)
    labels = torch.stack([target["label"] for _, target in batch]).to(device)
    return nn.functional.cross_entropy(model(_normalize(pixels)), labels)
