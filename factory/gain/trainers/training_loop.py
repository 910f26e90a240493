"""Training loop by Accelerate: a fixed number of steps, on a GPU if there is one."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import tv_tensors

from chatgenimage.factory.errors import TrainingFailed
from chatgenimage.factory.gain.interfaces import TrainingPlan
from chatgenimage.factory.gain.trainers.augmentation import Transform
from chatgenimage.factory.gain.values import LabelledImage
from chatgenimage.workers.masks import decode

Example: TypeAlias = tuple[torch.Tensor, dict[str, torch.Tensor]]
"""(3, H, W) uint8 RGB, and its target: `boxes` (N, 4) in pixels, `labels` (N,) from 1, `masks`
(N, H, W) of objects with masks; for classification `label`, from 0."""

CACHE_BYTES = 2 << 30
WARM_UP = 0.1
"""Share of the steps in which the learning rate rises."""
MOST_GRADIENT = 5.0
PREDICTED_AT_ONCE = 16
LOADERS_WITH_GPU = 4


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings of AdamW; the learning rate rises, then falls like a cosine."""

    learning_rate: float
    weight_decay: float = 1e-4


class Examples(Dataset[Example]):
    """Labelled images as tensors; decoded once while they fit into memory."""

    def __init__(
        self,
        images: Sequence[LabelledImage],
        classes: Sequence[str],
        transform: Transform | None = None,
        *,
        with_masks: bool = False,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        """Prepare the images.

        Args:
            images: With their labels.
            classes: Objects of other classes are left out.
            transform: Changes each example when it is read.
            with_masks: Whether targets get masks.
            cache_bytes: Most bytes of decoded pixels that are kept.
        """
        self._images = images
        self._class_ids = {label: index for index, label in enumerate(classes)}
        self._transform = transform
        self._with_masks = with_masks
        self._decoded: dict[int, Example] = {}
        self._cache_bytes = cache_bytes
        self._cached_bytes = 0

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._images)

    def __getitem__(self, index: int) -> Example:
        """Return an example, changed by the transform."""
        example = self._decoded.get(index) or self._decode(index)
        pixels, target = example[0], dict(example[1])
        return self._transform(pixels, target) if self._transform else (pixels, target)

    def fit_into_memory(self) -> bool:
        """Decode all images; return whether that was possible."""
        for index in range(len(self)):
            if index not in self._decoded:
                self._decode(index)
            if index not in self._decoded:
                return False
        return True

    def _decode(self, index: int) -> Example:
        image = self._images[index]
        pixels = torch.from_numpy(image.to_rgb().copy()).permute(2, 0, 1).contiguous()
        example = (tv_tensors.Image(pixels), self._target_of(image))
        self._cached_bytes += pixels.numel()
        if self._cached_bytes <= self._cache_bytes:
            self._decoded[index] = example
        return example

    def _target_of(self, image: LabelledImage) -> dict[str, torch.Tensor]:
        """Return the truth of an image: a class number, or boxes in pixels with class numbers."""
        if image.label is not None and not image.objects:
            return {"label": torch.tensor(self._class_ids[image.label])}
        known = [
            one
            for one in image.objects
            if one.label in self._class_ids and (one.rle is not None or not self._with_masks)
        ]
        boxes = torch.tensor([one.box_xyxy for one in known], dtype=torch.float32).reshape(-1, 4)
        width, height = image.size_wh
        target: dict[str, torch.Tensor] = {
            "boxes": tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=(height, width)),
            "labels": torch.tensor([1 + self._class_ids[one.label] for one in known]).long(),
        }
        if self._with_masks:
            masks = [decode(one.rle) for one in known if one.rle is not None]
            stacked = np.stack(masks) if masks else np.zeros((0, height, width), np.bool_)
            target["masks"] = tv_tensors.Mask(torch.from_numpy(stacked.astype(np.uint8)))
        return target


LossOf = Callable[[nn.Module, list[Example], torch.device], torch.Tensor]
"""Returns the loss of a batch."""


def fit(
    model: nn.Module, examples: Examples, loss_of: LossOf, recipe: Recipe, plan: TrainingPlan
) -> nn.Module:
    """Train a model for a number of steps; return it in evaluation mode, on its device.

    Raises:
        TrainingFailed: If the loss is not a number.
    """
    accelerator = Accelerator()
    optimizer = torch.optim.AdamW(
        [one for one in model.parameters() if one.requires_grad],
        lr=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _rate(plan.steps))
    loader = DataLoader(
        examples,
        plan.batch_size,
        sampler=_order(len(examples), plan),
        collate_fn=list,
        num_workers=_count_loaders(examples, accelerator.device),
    )
    model, optimizer, schedule = accelerator.prepare(model, optimizer, schedule)
    model.train()
    for batch in loader:
        loss = loss_of(model, batch, accelerator.device)
        if not math.isfinite(loss.item()):
            raise TrainingFailed(
                f"the loss is {loss.item()} with seed {plan.seed}: the training diverged. "
                "Use another --trainer, or --weights of a trained model."
            )
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(model.parameters(), MOST_GRADIENT)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        plan.on_step()
    trained: nn.Module = accelerator.unwrap_model(model)
    return trained.eval()


def device_of(model: nn.Module) -> torch.device:
    """Return the device of a model."""
    return next(model.parameters()).device


def iter_pixels(images: Sequence[LabelledImage]) -> Iterator[list[torch.Tensor]]:
    """Yield the pixels of images in batches, each (3, H, W) uint8."""
    for start in range(0, len(images), PREDICTED_AT_ONCE):
        some = images[start : start + PREDICTED_AT_ONCE]
        yield [torch.from_numpy(one.to_rgb().copy()).permute(2, 0, 1) for one in some]


def _count_loaders(examples: Examples, device: torch.device) -> int:
    """Return how many processes read images: none may open an image store after a fork."""
    return LOADERS_WITH_GPU if device.type == "cuda" and examples.fit_into_memory() else 0


def _rate(steps: int) -> Callable[[int], float]:
    """Return the learning rate's factor by step: a linear rise, then half a cosine to 0."""
    rise = max(1, round(WARM_UP * steps))

    def factor(step: int) -> float:
        """Return the factor of a step, counted from 0; in [0, 1]."""
        if step < rise:
            return (step + 1) / rise
        return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))

    return factor


def _order(count: int, plan: TrainingPlan) -> list[int]:
    """Return which image is used when: every image once, in another order, again and again."""
    generator = np.random.default_rng(plan.seed)
    needed = plan.steps * plan.batch_size
    rounds: list[Any] = [generator.permutation(count) for _ in range(-(-needed // count))]
    return [int(index) for index in np.concatenate(rounds)[:needed]]
