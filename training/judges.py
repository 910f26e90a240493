"""Independent judges of generated images: a detector's boxes and a linear background classifier."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import GroundingDinoForObjectDetection, GroundingDinoProcessor

from training.dataset import train_set
from training.places import CHECKPOINTS
from training.world import BACKGROUNDS, LABELS

BATCH = 50
FITTED_SCENES = 6000
RIDGE = 10.0
GRID = 8
SAME_OBJECT_IOU = 0.6


@dataclass(frozen=True, slots=True)
class Found:
    """One detection: index into LABELS, confidence, box in pixels."""

    label: int
    confidence: float
    box_xyxy: NDArray[np.float32]


class Detector:
    """The exported Grounding DINO, asked for all labels at once."""

    def __init__(self) -> None:
        folder = CHECKPOINTS / "grounding_dino"
        self._model = GroundingDinoForObjectDetection.from_pretrained(folder, dtype=torch.float32)
        self._processor = GroundingDinoProcessor.from_pretrained(folder)
        self._model.eval()

    def detect(self, pictures: NDArray[np.uint8], threshold: float = 0.3) -> list[list[Found]]:
        """Return what is found on each of (N, 64, 64, 3) pictures, most confident first."""
        found: list[list[Found]] = []
        for start in range(0, len(pictures), BATCH):
            found += self._detect_batch(pictures[start : start + BATCH], threshold)
        return found

    @torch.no_grad()
    def _detect_batch(self, pictures: NDArray[np.uint8], threshold: float) -> list[list[Found]]:
        text = ". ".join(LABELS) + "."
        inputs = self._processor(
            images=list(pictures), text=[text] * len(pictures), return_tensors="pt"
        )
        outputs = self._model(**inputs)
        places = [1 + 2 * index for index in range(len(LABELS))]
        scores = outputs.logits[..., places].sigmoid().numpy()
        centres, sizes = outputs.pred_boxes[..., :2].numpy(), outputs.pred_boxes[..., 2:].numpy()
        boxes = np.concatenate([centres - sizes / 2, centres + sizes / 2], -1) * 64
        return [keep_best(s, b, threshold) for s, b in zip(scores, boxes, strict=True)]


def keep_best(
    scores: NDArray[np.float32], boxes: NDArray[np.float32], threshold: float
) -> list[Found]:
    """Return the boxes left after class-agnostic non-maximum suppression.

    Args:
        scores: (Q, labels) in [0, 1].
        boxes: (Q, 4) pixels.
        threshold: Least confidence.
    """
    labels, best = scores.argmax(1), scores.max(1)
    kept: list[Found] = []
    for index in np.argsort(-best):
        if best[index] < threshold:
            break
        if all(iou(boxes[index], other.box_xyxy) < SAME_OBJECT_IOU for other in kept):
            kept.append(Found(int(labels[index]), float(best[index]), boxes[index]))
    return kept


def iou(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return the intersection over union of two boxes in pixels."""
    low, high = np.maximum(first[:2], second[:2]), np.minimum(first[2:], second[2:])
    shared = float(np.prod(np.clip(high - low, 0, None)))
    areas = [float(np.prod(box[2:] - box[:2])) for box in (first, second)]
    return shared / max(sum(areas) - shared, 1e-6)


def is_found(found: Sequence[Found], label: int, box_xyxy: NDArray[np.float32] | None) -> bool:
    """Return whether a label was found, at IoU >= 0.5 with the box if one is given."""
    mine = [item for item in found if item.label == label]
    return any(box_xyxy is None or iou(item.box_xyxy, box_xyxy) >= 0.5 for item in mine)


class BackgroundClassifier:
    """Ridge regression on an 8x8 thumbnail; it shares nothing with the models it judges."""

    def __init__(self) -> None:
        dataset = train_set()
        features = _thumbnails(dataset.images[:FITTED_SCENES])
        wanted = np.eye(len(BACKGROUNDS))[dataset.backgrounds[:FITTED_SCENES]]
        gram = features.T @ features + RIDGE * np.eye(features.shape[1])
        self._weights = np.linalg.solve(gram, features.T @ wanted)

    def classify(self, pictures: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return (N,) indices into BACKGROUNDS."""
        return (_thumbnails(pictures) @ self._weights).argmax(1)


@cache
def background_classifier() -> BackgroundClassifier:
    """Return the fitted classifier."""
    return BackgroundClassifier()


def _thumbnails(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    count, side = len(pictures), pictures.shape[1] // GRID
    small = pictures.reshape(count, GRID, side, GRID, side, 3).mean((2, 4)) / 255
    flat = small.reshape(count, -1)
    return np.concatenate([flat, flat**2, np.ones((count, 1))], 1)
