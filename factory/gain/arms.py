"""Arms of the measurement: which images each training gets, and whether they are augmented."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import cycle, islice

import numpy as np

from chatgenimage.factory.gain.values import Augmentation, LabelledImage, Source

REAL, REAL_AUGMENTED = "real", "real + augmentation"
REAL_MILD = "real + mild augmentation"
SYNTHETIC, SYNTHETIC_AUGMENTED = "synthetic", "synthetic + augmentation"
SYNTHETIC_MILD = "synthetic + mild augmentation"
BOTH, BOTH_AUGMENTED = "real + synthetic", "real + synthetic + augmentation"
BOTH_MILD = "real + synthetic + mild augmentation"
REPEATED, FILTER_OFF = "real, repeated", "synthetic, filter off"
SHARES = {"1/4": 0.25, "1/2": 0.5}
"""Of the synthetic images, for the curve; its end is an arm with all of them."""
ORIGINS = (Source.GENERATED, Source.EDITED, Source.FILLED)
LEAST_OF_ORIGIN = 8
"""Images of an origin that make an arm of it worth a training."""


class Kind(StrEnum):
    """Purpose of an arm."""

    MAIN = "main"
    CONTROL = "control"
    CURVE = "curve"
    """With a part of the synthetic images."""
    ORIGIN = "origin"
    """With the synthetic images of one origin, as many as every other origin can give."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One choice of training images.

    Attributes:
        name: E.g. "real + synthetic"; unique.
        images: What it trains on.
        augment: How they are augmented.
        synthetic: Number of synthetic images among them.
        share: The part of the synthetic images that it has, in [0, 1].
        source: The origin of an arm of one origin.
    """

    name: str
    kind: Kind
    images: tuple[LabelledImage, ...]
    augment: Augmentation = Augmentation.NONE
    synthetic: int = 0
    share: float = 0.0
    source: Source | None = None


def plan_arms(
    real: Sequence[LabelledImage], candidates: Sequence[LabelledImage], seed: int = 0
) -> list[Arm]:
    """Return the arms that these images allow, in the order of the report.

    Args:
        real: The real training set; may be empty.
        candidates: Synthetic images, those that the filters rejected too.
        seed: Decides which images the parts of the curve and of the origins have.
    """
    kept = _shuffled([one for one in candidates if one.is_accepted], seed)
    arms = [*_main(tuple(real), kept), *_controls(tuple(real), kept, tuple(candidates))]
    if kept:
        arms += [*_curve(tuple(real), kept), *_origins(tuple(real), kept)]
    return arms


_Images = tuple[LabelledImage, ...]


def _main(real: _Images, kept: _Images) -> Iterator[Arm]:
    """Yield the arms that are compared: real, synthetic and both, each with more augmentation."""
    if real:
        yield Arm(REAL, Kind.MAIN, real)
        yield Arm(REAL_MILD, Kind.MAIN, real, augment=Augmentation.MILD)
        yield Arm(REAL_AUGMENTED, Kind.MAIN, real, augment=Augmentation.STRONG)
    if kept:
        yield _with_synthetic(SYNTHETIC, Kind.MAIN, (), kept)
        both = _with_synthetic(BOTH, Kind.MAIN, real, kept)
        if real:
            yield both
            yield replace(both, name=BOTH_MILD, augment=Augmentation.MILD)
            yield replace(both, name=BOTH_AUGMENTED, augment=Augmentation.STRONG)
        else:
            yield replace(both, name=SYNTHETIC_MILD, augment=Augmentation.MILD)
            yield replace(both, name=SYNTHETIC_AUGMENTED, augment=Augmentation.STRONG)


def _controls(real: _Images, kept: _Images, candidates: _Images) -> Iterator[Arm]:
    if real and kept:
        repeated = tuple(islice(cycle(real), len(real) + len(kept)))
        yield Arm(REPEATED, Kind.CONTROL, repeated)
    if len(candidates) > len(kept):
        yield _with_synthetic(FILTER_OFF, Kind.CONTROL, (), candidates)


def _curve(real: _Images, kept: _Images) -> Iterator[Arm]:
    for name, share in SHARES.items():
        if count := round(share * len(kept)):
            title = f"real + {name} of synthetic" if real else f"{name} of synthetic"
            part = _with_synthetic(title, Kind.CURVE, real, kept[:count])
            yield replace(part, share=share)


def _origins(real: _Images, kept: _Images) -> Iterator[Arm]:
    """Yield an arm for each origin, all with the same number of images."""
    counts = Counter(one.source for one in kept)
    origins = [origin for origin in ORIGINS if counts[origin] >= LEAST_OF_ORIGIN]
    if len(origins) > 1:
        each = min(counts[origin] for origin in origins)
        for origin in origins:
            some = tuple(one for one in kept if one.source is origin)[:each]
            name = f"real + {each} {origin}" if real else f"{each} {origin}"
            arm = _with_synthetic(name, Kind.ORIGIN, real, some)
            yield replace(arm, source=origin, share=each / len(kept))


def _with_synthetic(name: str, kind: Kind, real: _Images, synthetic: _Images) -> Arm:
    return Arm(name, kind, real + synthetic, synthetic=len(synthetic), share=1.0)


def _shuffled(images: Sequence[LabelledImage], seed: int) -> _Images:
    order = np.random.default_rng(seed).permutation(len(images))
    return tuple(images[index] for index in order)
