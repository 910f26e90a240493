"""Trainers of torchvision's detectors and segmenters."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torchvision
from torch import nn
from torchvision.models import detection

from chatgenimage.factory.gain.interfaces import TrainingPlan
from chatgenimage.factory.gain.trainers import small_detector
from chatgenimage.factory.gain.trainers.augmentation import augment_objects
from chatgenimage.factory.gain.trainers.mask_targets import with_masks_in_place
from chatgenimage.factory.gain.trainers.small_detector import (
    build_small_detector,
    build_small_segmenter,
)
from chatgenimage.factory.gain.trainers.training_loop import (
    Example,
    Examples,
    Recipe,
    device_of,
    fit,
    iter_pixels,
)
from chatgenimage.factory.gain.trainers.weights import (
    NONE,
    freeze_batch_norm,
    identify_weights,
    load_weights,
)
from chatgenimage.factory.gain.values import LabelledImage, PredictedObject, Prediction, Task
from chatgenimage.workers.masks import encode

LEAST_SCORE = 0.01
"""Confidence from which an object counts; average precision needs the uncertain ones too."""
MASK_THRESHOLD = 0.5

Build = Callable[[int, int], nn.Module]
"""Returns a model with random weights for a number of classes and an image size in pixels."""


@dataclass(frozen=True, slots=True)
class ObjectModel:
    """A kind of model.

    Attributes:
        published: Name of torchvision's own weights; empty if there are none.
        image_size_px: Shorter side to which images are resized, unless another is given.
    """

    task: Task
    build: Build
    recipe: Recipe
    published: str = ""
    image_size_px: int = 320


def _of_torchvision(build: Callable[..., nn.Module], **options: Any) -> Build:  # noqa: ANN401  # of the builder
    """Return a function that builds an untrained torchvision detector."""

    def make(class_count: int, image_size_px: int) -> nn.Module:
        """Return the untrained network; class 0 is the background."""
        return build(
            weights=None,
            weights_backbone=None,
            num_classes=class_count + 1,
            min_size=image_size_px,
            max_size=2 * image_size_px,
            **options,
        )

    return make


OBJECT_MODELS = {
    "small": ObjectModel(
        Task.DETECT,
        build_small_detector,
        Recipe(small_detector.LEARNING_RATE, small_detector.WEIGHT_DECAY),
        image_size_px=64,
    ),
    "fasterrcnn": ObjectModel(
        Task.DETECT,
        _of_torchvision(
            detection.fasterrcnn_mobilenet_v3_large_320_fpn, box_score_thresh=LEAST_SCORE
        ),
        Recipe(2e-4),
        "FasterRCNN_MobileNet_V3_Large_320_FPN_Weights.DEFAULT",
    ),
    "fcos": ObjectModel(
        Task.DETECT,
        _of_torchvision(detection.fcos_resnet50_fpn, score_thresh=LEAST_SCORE),
        Recipe(1e-4),
        "FCOS_ResNet50_FPN_Weights.DEFAULT",
        480,
    ),
    "small-masks": ObjectModel(
        Task.SEGMENT,
        build_small_segmenter,
        Recipe(small_detector.LEARNING_RATE, small_detector.WEIGHT_DECAY),
        image_size_px=64,
    ),
    "maskrcnn": ObjectModel(
        Task.SEGMENT,
        _of_torchvision(detection.maskrcnn_resnet50_fpn_v2, box_score_thresh=LEAST_SCORE),
        Recipe(1e-4),
        "MaskRCNN_ResNet50_FPN_V2_Weights.DEFAULT",
        480,
    ),
}


@dataclass(frozen=True, slots=True)
class ObjectTrainer:
    """Trains a detector or segmenter of torchvision."""

    name: str
    weights: str = NONE
    image_size_px: int | None = None

    @property
    def task(self) -> Task:
        """Return what it learns."""
        return OBJECT_MODELS[self.name].task

    @property
    def identity(self) -> dict[str, object]:
        """Return what decides its start and its training besides the plan."""
        model = OBJECT_MODELS[self.name]
        masks = {"mask_targets": "in place"} if self.task is Task.SEGMENT else {}
        return {
            **masks,
            "trainer": self.name,
            "weights": identify_weights(self.weights),
            "image_size_px": self.image_size_px or model.image_size_px,
            "learning_rate": model.recipe.learning_rate,
            "weight_decay": model.recipe.weight_decay,
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
        }

    def train(
        self, images: Sequence[LabelledImage], classes: Sequence[str], plan: TrainingPlan
    ) -> "TrainedObjectModel":
        """Return a model trained on the images; objects of other classes are background."""
        kind = OBJECT_MODELS[self.name]
        torch.manual_seed(plan.seed)
        model = kind.build(len(classes), self.image_size_px or kind.image_size_px)
        if kind.task is Task.SEGMENT:
            model = with_masks_in_place(model)
        if self.weights != NONE:
            load_weights(model, self.weights, kind.published)
            freeze_batch_norm(model)
        torch.manual_seed(plan.seed)  # the same augmentation, whatever the start consumed
        examples = Examples(
            images,
            classes,
            augment_objects(plan.augment),
            with_masks=kind.task is Task.SEGMENT,
        )
        return TrainedObjectModel(fit(model, examples, _loss, kind.recipe, plan), tuple(classes))


@dataclass(frozen=True, slots=True)
class TrainedObjectModel:
    """A trained detector or segmenter."""

    model: nn.Module
    classes: tuple[str, ...]

    @torch.inference_mode()
    def predict(self, images: Sequence[LabelledImage]) -> list[Prediction]:
        """Return the objects on each image, highest confidence first."""
        device = device_of(self.model)
        return [
            self._prediction({key: value.cpu() for key, value in found.items()})
            for pixels in iter_pixels(images)
            for found in self.model([one.to(device) / 255 for one in pixels])
        ]

    def _prediction(self, found: dict[str, torch.Tensor]) -> Prediction:
        masks = found.get("masks")  # (N, 1, H, W) float in [0, 1]
        return Prediction(
            tuple(
                PredictedObject(
                    self.classes[int(found["labels"][index]) - 1],
                    float(found["scores"][index]),
                    _box_of(found["boxes"][index]),
                    None if masks is None else encode((masks[index, 0] > MASK_THRESHOLD).numpy()),
                )
                for index in range(len(found["scores"]))
                if found["labels"][index] > 0
            )
        )


def _box_of(box: torch.Tensor) -> tuple[float, float, float, float]:
    x_min, y_min, x_max, y_max = box.tolist()
    return x_min, y_min, x_max, y_max


def _loss(model: nn.Module, batch: list[Example], device: torch.device) -> torch.Tensor:
    """Return the sum of the losses that a detector of torchvision returns."""
    pixels = [image.as_subclass(torch.Tensor).to(device) / 255 for image, _ in batch]
    targets = [
        {key: value.as_subclass(torch.Tensor).to(device) for key, value in target.items()}
        for _, target in batch
    ]
    losses: dict[str, torch.Tensor] = model(pixels, targets)
    return torch.stack(list(losses.values())).sum()
