"""Calibration of a similarity model: a threshold from pictures whose labels are known."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chatgenimage.factory.app import fetch_checkpoints
from chatgenimage.factory.checkpoints.inventory import write_copy
from chatgenimage.factory.errors import NothingFound, UnknownName
from chatgenimage.factory.settings.model import Settings
from chatgenimage.factory.submission.image_listing import ENDINGS, SUFFIXES
from chatgenimage.factory.submission.image_reader import BadPicture, read_picture
from chatgenimage.factory.wording import counted
from chatgenimage.tasks.filter_rules import expected_text
from chatgenimage.workers.config import OpenClipConfig
from chatgenimage.workers.device import pick_device
from chatgenimage.workers.interfaces import ImageTextEncoder
from chatgenimage.workers.registry import load_family
from chatgenimage.workers.values import LogitScale
from chatgenimage.workers.vision_config import SimilarityConfig

LONGEST_SIDE_PX = 1024
IMAGES_PER_PASS = 16
LEAST_LABELS = 2
DIGITS = 3


@dataclass(frozen=True, slots=True)
class KnownPairs:
    """Cosines of pictures with the texts of all labels.

    Attributes:
        model: Name of the similarity model in the profile.
        true: Cosines of each picture with its own label.
        other: Cosines of each picture with every other label.
        scale: How the checkpoint turns cosines into logits.
        unread: Names of files that could not be read, each with the reason.
    """

    model: str
    true: NDArray[np.float64]
    other: NDArray[np.float64]
    scale: LogitScale
    unread: tuple[str, ...] = ()

    @property
    def separation(self) -> float:
        """Return how often a true pair has the higher cosine than another one, in [0, 1]."""
        ordered = np.sort(self.other)
        below = np.searchsorted(ordered, self.true, "left")
        ties = np.searchsorted(ordered, self.true, "right") - below
        return float((below + ties / 2).mean() / len(ordered))

    @property
    def own_boundary(self) -> float | None:
        """Return the cosine at which SigLIP gives a text half; None for a softmax."""
        if self.scale.bias is None:
            return None
        return -self.scale.bias / self.scale.scale

    def threshold_that_keeps(self, share: float) -> float:
        """Return the highest rounded threshold that at least this share of true pairs reaches."""
        least = float(np.quantile(self.true, 1 - share, method="lower"))
        return float(np.floor(least * 10**DIGITS) / 10**DIGITS)

    def kept(self, threshold: float) -> tuple[float, float]:
        """Return the shares of true and of other pairs that reach a threshold."""
        return float((self.true >= threshold).mean()), float((self.other >= threshold).mean())


def measure_pairs(settings: Settings, folder: Path) -> KnownPairs:
    """Return the cosines of a profile's similarity model on pictures with known labels.

    Args:
        settings: Settings of the profile.
        folder: A folder per label, named after it, with pictures that show it and no other label.

    Raises:
        NothingFound: If there are fewer than two such folders with readable pictures.
        UnknownName: If the profile has no similarity model.
        WorkerError: If the model does not load.
    """
    key, encoder = _load_encoder(settings)
    images, labels, unread = _read_folders(folder)
    names = sorted(set(labels))
    if len(names) < LEAST_LABELS:
        raise NothingFound(
            f"{folder} has readable pictures of {counted(len(names), 'label')}; expected at least "
            f"{LEAST_LABELS} folders, named after labels, with {ENDINGS} files."
        )
    passes = range(0, len(images), IMAGES_PER_PASS)
    embedded = np.concatenate(
        [encoder.embed_images(images[start : start + IMAGES_PER_PASS]) for start in passes]
    )
    cosines = (
        embedded @ encoder.embed_texts([expected_text([name], "").strip() for name in names]).T
    )
    is_true = np.array(labels)[:, None] == np.array(names)[None, :]
    return KnownPairs(
        key,
        cosines[is_true].astype(np.float64),
        cosines[~is_true].astype(np.float64),
        encoder.logit_scale,
        tuple(unread),
    )


def write_threshold(profile: str, threshold: float, to: Path) -> None:
    """Write a copy of a profile with this `thresholds.clip_similarity_min`.

    Raises:
        CannotWrite: If it would overwrite the profile itself.
    """

    def change(content: dict[str, Any]) -> None:
        """Set the threshold in a profile's content."""
        thresholds = content.get("thresholds") or {}
        content["thresholds"] = {**thresholds, "clip_similarity_min": threshold}

    write_copy(profile, change, to)


def _load_encoder(settings: Settings) -> tuple[str, ImageTextEncoder]:
    """Return the profile's similarity model and its name."""
    for role, keys in settings.roles.items():
        for key in keys:
            config = settings.families[key]
            if isinstance(config, OpenClipConfig | SimilarityConfig):
                fetch_checkpoints(settings, [role])
                encoder = load_family(config, pick_device(settings.device))
                assert isinstance(encoder, ImageTextEncoder)  # noqa: S101  (narrows the type)
                return key, encoder
    raise UnknownName(
        f"no role of profile {settings.profile!r} loads a similarity model (family `open_clip` or "
        "`similarity`)."
    )


def _read_folders(folder: Path) -> tuple[list[Any], list[str], list[str]]:
    """Return pictures with their labels, and what could not be read."""
    if not folder.is_dir():
        raise NothingFound(f"{folder} is not a folder; expected one with a folder per label.")
    images, labels, unread = [], [], []
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        for file in sorted(place.iterdir()):
            if file.suffix.lower() not in SUFFIXES:
                continue
            try:
                images.append(read_picture(place, file.name, LONGEST_SIDE_PX).pixels)
            except BadPicture as problem:
                unread.append(f"{place.name}/{file.name} {problem}")
            else:
                labels.append(place.name.replace("_", " "))
    return images, labels, unread


def summary_of(pairs: KnownPairs, threshold: float, now: float) -> Sequence[str]:
    """Return what was measured, in lines.

    Args:
        pairs: What was measured.
        threshold: The suggested one.
        now: The one in force.
    """
    scale = f"logit scale {pairs.scale.scale:.1f}"
    if pairs.own_boundary is not None:
        half = f"probability 0.5 at a cosine of {pairs.own_boundary:.3f}"
        scale += f", bias {pairs.scale.bias:.1f}: {half}"
    return (
        f"Model {pairs.model}: {scale}",
        f"True pairs:  {_range_of(pairs.true)}",
        f"Other pairs: {_range_of(pairs.other)}",
        f"Separation: a true pair is the more similar one in {pairs.separation:.1%} of comparisons",
        f"clip_similarity_min {threshold:g}: {_kept_in_words(pairs, threshold)}",
        f"In force, {now:g}: {_kept_in_words(pairs, now)}",
    )


def record_of(pairs: KnownPairs, threshold: float) -> dict[str, Any]:
    """Return what was measured, and what the suggested threshold keeps, as JSON values."""
    kept_true, kept_other = pairs.kept(threshold)
    return {
        "model": pairs.model,
        "logit_scale": pairs.scale.scale,
        "logit_bias": pairs.scale.bias,
        "true_pairs": len(pairs.true),
        "other_pairs": len(pairs.other),
        "separation": pairs.separation,
        "clip_similarity_min": threshold,
        "kept_true": kept_true,
        "kept_other": kept_other,
        "skipped": list(pairs.unread),
    }


def _range_of(cosines: NDArray[np.float64]) -> str:
    low, middle, high = np.quantile(cosines, (0.05, 0.5, 0.95))
    return f"{len(cosines)}, cosines {low:.3f} to {high:.3f} (5 % to 95 %), median {middle:.3f}"


def _kept_in_words(pairs: KnownPairs, threshold: float) -> str:
    true, other = pairs.kept(threshold)
    return f"keeps {true:.1%} of the true pairs and {other:.1%} of the others"
