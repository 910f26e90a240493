"""Independent judges of generated images; they share nothing with the judged models."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from chatgenimage.workers.values import BoxXyxy, RgbImage
from training.dataset import train_set
from training.places import ROOT
from training.world import BACKGROUNDS, LABELS

WEIGHTS = ROOT / "tests/data/judge.safetensors"
NOTHING = "nothing"
CROP_PX = 32
MARGIN = 0.25
"""Side of the judged square, relative to the longer side of the box."""
WIDTHS = (24, 48, 48, 96, 64)
STRIDES = (1, 2, 1, 2, 1)
FITTED_SCENES = 6000
RIDGE = 10.0
GRID = 8


def build_network(classes: int) -> nn.Sequential:
    """Return the untrained network: (N, 3, 32, 32) in [0, 1] to (N, classes) logits."""
    layers: list[nn.Module] = []
    for inputs, outputs, stride in zip((3, *WIDTHS), WIDTHS, STRIDES, strict=False):
        layers += [
            nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        ]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(WIDTHS[-1], classes)]
    return nn.Sequential(*layers)


def square_around(boxes_xyxy: Tensor) -> Tensor:
    """Return (N, 3) centre x, centre y and side, in pixels, of the squares around (N, 4) boxes."""
    low, high = boxes_xyxy[:, :2], boxes_xyxy[:, 2:]
    sides = (high - low).amax(1, keepdim=True) * (1 + MARGIN)
    return torch.cat([(low + high) / 2, sides], 1)


def crop(images: Tensor, squares: Tensor, warp: Tensor | None = None) -> Tensor:
    """Return (N, C, 32, 32) crops of each image's square; the border is repeated.

    Args:
        images: (N, C, H, W) float.
        squares: (N, 3), see `square_around`.
        warp: (N, 32, 32, 2) displacement in units of half the square's side.
    """
    height, width = images.shape[2:]
    x, y, side = squares.unbind(1)
    theta = torch.zeros(len(images), 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = side / width, side / height
    theta[:, 0, 2], theta[:, 1, 2] = 2 * x / width - 1, 2 * y / height - 1
    grid = functional.affine_grid(theta, [len(images), 1, CROP_PX, CROP_PX], align_corners=False)
    if warp is not None:
        grid = grid + warp * theta[:, None, None, [0, 1], [0, 1]]
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


class ObjectJudge:
    """Names the object in a box, or "nothing".

    A small convolutional network, trained only on crops of rendered scenes: its errors are
    independent of the detector and of the models that were trained together with it.
    """

    def __init__(self, network: nn.Module, names: Sequence[str]) -> None:
        self._network, self._names = network.eval(), tuple(names)

    @classmethod
    def load(cls, path: Path = WEIGHTS) -> Self:
        """Return the trained judge."""
        with safe_open(path, framework="pt") as file:
            names = file.metadata()["names"].split(",")
        network = build_network(len(names))
        network.load_state_dict({name: value.float() for name, value in load_file(path).items()})
        return cls(network, names)

    @property
    def names(self) -> tuple[str, ...]:
        """The labels that it distinguishes, and "nothing"."""
        return self._names

    def save(self, path: Path = WEIGHTS) -> None:
        """Write the weights in half precision."""
        state = {
            name: (value.half() if value.is_floating_point() else value).contiguous()
            for name, value in self._network.state_dict().items()
        }
        save_file(state, path, {"names": ",".join(self._names)})
        path.chmod(0o644)

    @torch.no_grad()
    def name(self, image: RgbImage, boxes_xyxy: Sequence[BoxXyxy]) -> list[str]:
        """Return the name of the object in each box of one image."""
        if not boxes_xyxy:
            return []
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float()[None] / 255
        squares = square_around(torch.tensor(np.array(boxes_xyxy), dtype=torch.float32))
        crops = crop(pixels.expand(len(squares), -1, -1, -1), squares)
        return [self._names[index] for index in self._network(crops).argmax(1).tolist()]


class BackgroundJudge:
    """Names the background: ridge regression on an 8x8 thumbnail, fitted on rendered scenes."""

    def __init__(self) -> None:
        dataset = train_set()
        features = thumbnails(dataset.images[:FITTED_SCENES])
        wanted = np.eye(len(BACKGROUNDS))[dataset.backgrounds[:FITTED_SCENES]]
        gram = features.T @ features + RIDGE * np.eye(features.shape[1])
        self._weights = np.linalg.solve(gram, features.T @ wanted)

    def name(self, images: Sequence[RgbImage]) -> list[str]:
        """Return the background of each image."""
        found = (thumbnails(np.stack(images)) @ self._weights).argmax(1)
        return [BACKGROUNDS[index] for index in found]


def judged_names() -> tuple[str, ...]:
    """Return the names that the object judge is trained to distinguish."""
    return (*LABELS, NOTHING)


def thumbnails(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return (N, 385) features: an 8x8 thumbnail, its squares and a constant."""
    count, side = len(pictures), pictures.shape[1] // GRID
    small = pictures.reshape(count, GRID, side, GRID, side, 3).mean((2, 4)) / 255
    flat = small.reshape(count, -1)
    return np.concatenate([flat, flat**2, np.ones((count, 1))], 1)
