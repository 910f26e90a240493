"""Trainer of transformers' detectors, e.g. RT-DETR or D-FINE, from a local folder."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn

from chatgenimage.factory.errors import SettingsError
from chatgenimage.factory.gain.interfaces import TrainingPlan
from chatgenimage.factory.gain.trainers.augmentation import augment_objects
from chatgenimage.factory.gain.trainers.training_loop import (
    Example,
    Examples,
    Recipe,
    device_of,
    fit,
    iter_pixels,
)
from chatgenimage.factory.gain.values import LabelledImage, PredictedObject, Prediction, Task

RECIPE = Recipe(1e-4)
LEAST_SCORE = 0.01


@dataclass(frozen=True, slots=True)
class TransformersTrainer:
    """Trains an object detector of transformers.

    Attributes:
        folder: A folder with config.json, preprocessor_config.json and model.safetensors.
    """

    folder: Path
    name: str = "transformers"
    task: Task = Task.DETECT

    @property
    def identity(self) -> dict[str, object]:
        """Return what decides its start and its training besides the plan."""
        files = sorted(path for path in self.folder.iterdir() if path.is_file())
        digest = hashlib.sha256()
        for path in files:
            digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
        return {
            "trainer": self.name,
            "weights": digest.hexdigest(),
            "learning_rate": RECIPE.learning_rate,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        }

    def train(
        self, images: Sequence[LabelledImage], classes: Sequence[str], plan: TrainingPlan
    ) -> "TrainedTransformersModel":
        """Return a model trained on the images; objects of other classes are background.

        Raises:
            SettingsError: If the folder has no detector.
        """
        torch.manual_seed(plan.seed)
        model, processor = _load(self.folder, classes)
        torch.manual_seed(plan.seed)
        examples = Examples(images, classes, augment_objects(plan.augment))

        def loss_of(model: nn.Module, batch: list[Example], device: torch.device) -> torch.Tensor:
            """Return the loss of a batch."""
            inputs = processor(
                images=[pixels.as_subclass(torch.Tensor) for pixels, _ in batch],
                annotations=[_to_coco(number, target) for number, (_, target) in enumerate(batch)],
                return_tensors="pt",
            )
            labels = [
                {key: value.to(device) for key, value in one.items()} for one in inputs["labels"]
            ]
            found = model(pixel_values=inputs["pixel_values"].to(device), labels=labels)
            loss: torch.Tensor = found.loss
            return loss

        trained = fit(model, examples, loss_of, RECIPE, plan)
        return TrainedTransformersModel(trained, processor, tuple(classes))


@dataclass(frozen=True, slots=True)
class TrainedTransformersModel:
    """A trained detector of transformers, with its image processor."""

    model: nn.Module
    processor: Any
    classes: tuple[str, ...]

    @torch.inference_mode()
    def predict(self, images: Sequence[LabelledImage]) -> list[Prediction]:
        """Return the objects on each image, highest confidence first."""
        device = device_of(self.model)
        predictions: list[Prediction] = []
        for batch in iter_pixels(images):
            inputs = self.processor(images=batch, return_tensors="pt")
            outputs = self.model(pixel_values=inputs["pixel_values"].to(device))
            predictions += [
                self._prediction(found)
                for found in self.processor.post_process_object_detection(
                    outputs,
                    threshold=LEAST_SCORE,
                    target_sizes=[tuple(pixels.shape[1:]) for pixels in batch],
                )
            ]
        return predictions

    def _prediction(self, found: dict[str, torch.Tensor]) -> Prediction:
        rows = zip(
            found["labels"].tolist(), found["scores"].tolist(), found["boxes"].tolist(), strict=True
        )
        best_first = sorted(rows, key=lambda row: -row[1])
        return Prediction(
            tuple(
                PredictedObject(self.classes[label], score, tuple(box))
                for label, score, box in best_first
                if label < len(self.classes)
            )
        )


def _load(folder: Path, classes: Sequence[str]) -> tuple[Any, Any]:
    """Return the model with a new head for the classes, and its image processor."""
    try:
        processor = transformers.AutoImageProcessor.from_pretrained(folder, local_files_only=True)
        model = transformers.AutoModelForObjectDetection.from_pretrained(
            folder,
            local_files_only=True,
            id2label=dict(enumerate(classes)),
            label2id={label: index for index, label in enumerate(classes)},
            ignore_mismatched_sizes=True,
        )
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"--weights {folder}: no object detector of transformers: {error}. Expected a folder "
            "with config.json, preprocessor_config.json and model.safetensors."
        ) from error
    return model, processor


def _to_coco(number: int, target: dict[str, torch.Tensor]) -> dict[str, Any]:
    """Return the target in the form that the image processors expect."""
    entries = []
    for box, label in zip(target["boxes"].tolist(), target["labels"].tolist(), strict=True):
        width, height = box[2] - box[0], box[3] - box[1]
        entries.append(
            {
                "image_id": number,
                "category_id": label - 1,
                "bbox": [box[0], box[1], width, height],
                "area": width * height,
                "iscrowd": 0,
            }
        )
    return {"image_id": number, "annotations": entries}
