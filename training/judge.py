"""Training of the independent object judge on crops of rendered scenes, without generators."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torchvision.transforms.functional import gaussian_blur

from training.dataset import NO_OBJECT, Dataset, train_set
from training.judges import (
    CROP_PX,
    NOTHING,
    WEIGHTS,
    ObjectJudge,
    build_network,
    crop,
    judged_names,
    square_around,
)
from training.loop import Plan, Trainer

NAME = "judge"
BATCH = 128
OBJECT_SHARE, ELSEWHERE_SHARE = 0.7, 0.14
"""Shares of a batch: whole objects, and random squares; the rest are objects cut in pieces."""
SEEN_SHARE = 0.3
"""Minimum visible share of an object in a square; with less, it counts as absent."""
JITTER, WARP, COARSEST_PX = 0.1, 0.08, 10
SIDES_PX = (14.0, 44.0)
UNSURE = -100
"""Ignored by the cross entropy: part of an object is neither the object nor nothing."""


class CropDrawer:
    """Draws crops with their names."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._rng = np.random.default_rng()
        self._nothing = judged_names().index(NOTHING)

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """Return (N, 3, 32, 32) crops in [0, 1] and (N,) indices into `judged_names`."""
        rows = np.sort(self._rng.choice(len(self._dataset), count, replace=False))
        source = self._dataset.edited if self._rng.random() < 0.5 else self._dataset.images
        images = torch.from_numpy(source[rows]).permute(0, 3, 1, 2).float() / 255
        slots = self._draw_slots(rows)
        squares = square_around(torch.from_numpy(self._dataset.boxes_xyxy[rows, slots]))
        names = torch.from_numpy(self._dataset.labels[rows, slots].astype(np.int64))
        objects = int(count * OBJECT_SHARE)
        elsewhere = slice(objects, objects + int(count * ELSEWHERE_SHARE))
        pieces = slice(elsewhere.stop, count)
        squares = _jittered(squares)
        squares[elsewhere] = _random_squares(elsewhere.stop - elsewhere.start, images.shape[2])
        names[elsewhere] = self._name_elsewhere(rows[elsewhere], squares[elsewhere])
        names[pieces] = self._nothing
        crops = crop(images, squares, _random_warp(count))
        crops[pieces] = _in_pieces(crops[pieces])
        return soften(crops), names

    def _draw_slots(self, rows: np.ndarray) -> np.ndarray:
        counts = (self._dataset.labels[rows] != NO_OBJECT).sum(1)
        return (self._rng.random(len(rows)) * counts).astype(int)

    def _name_elsewhere(self, rows: np.ndarray, squares: Tensor) -> Tensor:
        """Return NOTHING for squares that show too little of any object, else UNSURE."""
        masks = torch.from_numpy(self._dataset.masks(rows)).float()
        scale = (squares[:, 2] / CROP_PX).square()[:, None]
        inside = crop(masks, squares).sum((2, 3)) * scale / masks.sum((2, 3)).clamp(min=1)
        return torch.where(inside.amax(1) < SEEN_SHARE, self._nothing, UNSURE)


def soften(crops: Tensor) -> Tensor:
    """Make the crops look like a small generator's outputs: soft, off in colour, noisy."""
    count, side = len(crops), int(torch.randint(COARSEST_PX, CROP_PX + 1, ()))
    coarse = torch.rand(count) < 0.5
    small = functional.interpolate(crops[coarse], size=side, mode="area")
    crops[coarse] = functional.interpolate(small, size=CROP_PX, mode="bilinear")
    blurred = torch.rand(count) < 0.5
    sigma = float(torch.empty(()).uniform_(0.4, 2.2))
    crops[blurred] = gaussian_blur(crops[blurred], [9, 9], [sigma, sigma])
    gain = 1 + 0.1 * torch.randn(count, 3, 1, 1)
    noise = torch.randn_like(crops) * torch.rand(count, 1, 1, 1) * 0.05
    return (crops * gain + 0.05 * torch.randn(count, 3, 1, 1) + noise).clamp(0, 1)


def _jittered(squares: Tensor) -> Tensor:
    moved = squares.clone()
    moved[:, :2] += squares[:, 2:] * JITTER * (2 * torch.rand(len(squares), 2) - 1)
    moved[:, 2] *= torch.empty(len(squares)).uniform_(0.85, 1.25)
    return moved


def _random_squares(count: int, side_px: int) -> Tensor:
    sides = torch.empty(count, 1).uniform_(*SIDES_PX)
    return torch.cat([torch.rand(count, 2) * side_px, sides], 1)


def _random_warp(count: int) -> Tensor:
    """Return (N, 32, 32, 2) smooth displacements, which distort shapes slightly."""
    coarse = WARP * torch.randn(count, 2, 4, 4) * torch.rand(count, 1, 1, 1)
    fine = functional.interpolate(coarse, size=CROP_PX, mode="bicubic")
    return fine.permute(0, 2, 3, 1)


def _in_pieces(crops: Tensor) -> Tensor:
    """Return two joined halves of different objects, and objects with shuffled parts."""
    middle, half = len(crops) // 2, CROP_PX // 2
    grown, others = crops[:middle].clone(), crops[:middle].roll(1, 0)
    if torch.rand(()) < 0.5:
        grown[..., half:] = others[..., half:]
    else:
        grown[..., half:, :] = others[..., half:, :]
    tiles = functional.unfold(crops[middle:], 8, stride=8)
    shuffled = functional.fold(tiles[..., torch.randperm(16)], CROP_PX, 8, stride=8)
    return torch.cat([grown, shuffled])


def train(minutes: float) -> None:
    """Train the judge and write it to the path that tests and evaluation load."""
    network = build_network(len(judged_names())).to(memory_format=torch.channels_last)
    drawer = CropDrawer(train_set())

    def losses(_step: int) -> dict[str, Tensor]:
        """Return the cross-entropy of a random batch of crops."""
        crops, names = drawer.draw(BATCH)
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(crops.contiguous(memory_format=torch.channels_last))
        return {"cross_entropy": functional.cross_entropy(logits.float(), names)}

    def export() -> None:
        """Write the judge, then continue in training mode."""
        ObjectJudge(network, judged_names()).save(WEIGHTS)
        network.train()

    trainer = Trainer(Plan(NAME, minutes, lr=3e-3, export_every_minutes=3), network)
    trainer.fit(losses, export)
