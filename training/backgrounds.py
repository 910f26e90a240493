"""Backgrounds: eight procedural ones with different colours and shapes, varied at random."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Canvas: TypeAlias = NDArray[np.float32]
"""(H, W, 3) float32 RGB in [0, 1]."""

Painter: TypeAlias = Callable[[np.random.Generator], Canvas]

SIZE_PX = 64
_ROW, _COLUMN = np.mgrid[0:SIZE_PX, 0:SIZE_PX].astype(np.float32)


def paint_background(name: str, rng: np.random.Generator) -> Canvas:
    """Return a (64, 64, 3) canvas of the named background."""
    canvas = PAINTERS[name](rng)
    tint = rng.normal(0, 0.015, 3) + rng.normal(0, 0.02)
    return np.clip(canvas + tint, 0, 1).astype(np.float32)


def _gradient(top: tuple[float, ...], bottom: tuple[float, ...]) -> Canvas:
    weight = (_ROW / (SIZE_PX - 1))[..., None]
    return np.asarray(top, np.float32) * (1 - weight) + np.asarray(bottom, np.float32) * weight


def _blend(canvas: Canvas, coverage: Canvas, color: tuple[float, ...] | Canvas) -> Canvas:
    alpha = np.clip(coverage, 0, 1)[..., None]
    return canvas * (1 - alpha) + np.asarray(color, np.float32) * alpha


def _below(height: float | Canvas, softness_px: float = 1.5) -> Canvas:
    """Return coverage 1 below the line `height` (rows) and 0 above it."""
    return np.clip((_ROW - height) / softness_px + 0.5, 0, 1)


def _bar(left: float, right: float) -> Canvas:
    return np.clip(_COLUMN - left, 0, 1) * np.clip(right - _COLUMN, 0, 1)


def _disc(x: float, y: float, radius: float, softness_px: float = 1.5) -> Canvas:
    distance = np.hypot(_COLUMN - x, _ROW - y)
    return np.clip((radius - distance) / softness_px + 0.5, 0, 1)


def _waves(rng: np.random.Generator, level: float, amplitude: float) -> Canvas:
    period = rng.uniform(30, 70)
    return level + amplitude * np.sin(_COLUMN * 2 * np.pi / period + rng.uniform(0, 6.28))


def _forest(rng: np.random.Generator) -> Canvas:
    canvas = _gradient((0.10, 0.32, 0.20), (0.16, 0.42, 0.22))
    ground = rng.uniform(44, 52)
    x = rng.uniform(1, 8)
    while x < SIZE_PX:
        width = rng.uniform(3, 5)
        trunk = _bar(x, x + width) * (1 - _below(ground + rng.uniform(0, 3)))
        canvas = _blend(canvas, trunk * 0.85, (0.27, 0.19, 0.12))
        x += rng.uniform(11, 17)
    canvas = _blend(canvas, 1 - _below(_waves(rng, rng.uniform(8, 12), 2), 5), (0.05, 0.22, 0.12))
    return _blend(canvas, _below(_waves(rng, ground, 1.5), 3), (0.30, 0.28, 0.12))


def _beach(rng: np.random.Generator) -> Canvas:
    canvas = _gradient((0.45, 0.76, 0.98), (0.80, 0.93, 1.0))
    sea = rng.uniform(20, 28)
    canvas = _blend(canvas, _disc(rng.uniform(8, 56), rng.uniform(6, 12), 5), (1.0, 0.95, 0.60))
    canvas = _blend(canvas, _below(sea), (0.10, 0.60, 0.75))
    sand = _waves(rng, sea + rng.uniform(10, 14), 1.5)
    canvas = _blend(canvas, _below(sand - 2, 2), (0.85, 0.97, 0.97))
    return _blend(canvas, _below(sand), (0.96, 0.87, 0.62))


def _desert(rng: np.random.Generator) -> Canvas:
    canvas = _gradient((0.98, 0.72, 0.40), (1.0, 0.88, 0.62))
    far = rng.uniform(24, 32)
    canvas = _blend(canvas, _below(_waves(rng, far, 4)), (0.86, 0.55, 0.25))
    return _blend(canvas, _below(_waves(rng, far + rng.uniform(12, 18), 4)), (0.76, 0.42, 0.16))


def _snow(rng: np.random.Generator) -> Canvas:
    canvas = _gradient((0.62, 0.72, 0.84), (0.80, 0.86, 0.93))
    far = rng.uniform(22, 30)
    canvas = _blend(canvas, _below(_waves(rng, far, 4)), (0.84, 0.90, 0.97))
    return _blend(canvas, _below(_waves(rng, far + rng.uniform(10, 16), 2)), (0.97, 0.98, 1.0))


def _city(rng: np.random.Generator) -> Canvas:
    canvas = _gradient((0.78, 0.70, 0.72), (0.90, 0.80, 0.74))
    road, x = rng.uniform(44, 50), rng.uniform(-8, 0)
    while x < SIZE_PX:
        width, top, gray = rng.uniform(10, 16), rng.uniform(6, 24), rng.uniform(0.42, 0.56)
        canvas = _blend(canvas, _bar(x, x + width) * _below(top), (gray, gray, gray + 0.08))
        x += width + rng.uniform(1, 4)
    canvas = _blend(canvas, _below(road), (0.25, 0.25, 0.28))
    return _blend(canvas, _below(road + 7) * (1 - _below(road + 9)), (0.85, 0.82, 0.60))


def _night(rng: np.random.Generator) -> Canvas:
    canvas = _gradient((0.02, 0.03, 0.14), (0.13, 0.10, 0.32))
    for x, y in zip(rng.uniform(2, 62, 9), rng.uniform(2, 40, 9), strict=True):
        canvas = _blend(canvas, _disc(x, y, 0.9) * 0.9, (0.95, 0.95, 0.85))
    canvas = _blend(canvas, _disc(rng.uniform(8, 56), rng.uniform(8, 14), 5), (0.98, 0.95, 0.75))
    return _blend(canvas, _below(_waves(rng, rng.uniform(48, 54), 2)), (0.04, 0.05, 0.10))


def _meadow(rng: np.random.Generator) -> Canvas:
    canvas = _gradient((0.35, 0.62, 0.95), (0.72, 0.86, 1.0))
    cloud = rng.uniform(8, 56)
    for shift in (-5, 0, 5):
        canvas = _blend(canvas, _disc(cloud + shift, 10 - (shift == 0) * 2, 4.5), (1, 1, 1))
    far = rng.uniform(24, 32)
    canvas = _blend(canvas, _below(_waves(rng, far, 2)), (0.42, 0.74, 0.25))
    return _blend(canvas, _below(_waves(rng, far + 14, 2), 4), (0.55, 0.84, 0.32))


def _room(rng: np.random.Generator) -> Canvas:
    canvas = _gradient((0.90, 0.78, 0.82), (0.86, 0.70, 0.76))
    floor = rng.uniform(44, 50)
    left, width = rng.uniform(4, 40), rng.uniform(15, 20)
    window = _bar(left, left + width) * _below(8, 1) * (1 - _below(26, 1))
    pane = _bar(left + 2, left + width - 2) * _below(10, 1) * (1 - _below(24, 1))
    canvas = _blend(_blend(canvas, window, (0.98, 0.97, 0.94)), pane, (0.60, 0.85, 0.97))
    canvas = _blend(canvas, _below(floor), (0.58, 0.36, 0.22))
    return _blend(canvas, _below(floor) * (1 - _below(floor + 2)), (0.97, 0.94, 0.90))


PAINTERS: dict[str, Painter] = {
    "forest": _forest,
    "beach": _beach,
    "desert": _desert,
    "snow": _snow,
    "city": _city,
    "night": _night,
    "meadow": _meadow,
    "room": _room,
}
