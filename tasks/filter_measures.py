"""Measures of the filter: the scores of one candidate (section 3.5)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chatgenimage.db.states import Origin
from chatgenimage.tasks.filter_rules import (
    BACKGROUND,
    BLUR,
    BRIGHTEST,
    CLIP_SIMILARITY,
    CONTRAST,
    DARKEST,
    DOMAIN,
    FILL_IOU,
    LABEL_CONFIDENCE,
    OBJECTS_KEPT,
    PLUGIN_RULES,
    PSNR,
    SEAM,
    SSIM,
    LabelledBox,
    best_iou,
    kept_share,
)
from chatgenimage.tasks.resources import Resources
from chatgenimage.tasks.rule import ImageRule, RuleInput
from chatgenimage.tasks.visual_checks import VisualReply, scores_of
from chatgenimage.workers import fingerprints, image_quality, image_similarity, masks
from chatgenimage.workers.errors import PluginBroken
from chatgenimage.workers.masks import Rle
from chatgenimage.workers.plugins import Plugin, Plugins
from chatgenimage.workers.values import Detection, Mask, RgbImage


@dataclass(frozen=True, slots=True)
class FilterInput:
    """A candidate with everything that it is compared with.

    Attributes:
        names: Labels of which it should show one; empty if it may show anything.
        text: Description of what the image should show.
        rival_texts: The same text with each other background; empty if no background is required.
        domain_texts: The label in the required domain, then its rivals; empty without domains.
        background: What the image should be on; None: anything.
        checks: What a vision-language model is asked about it, if there is one.
        kept_rles: Masks of the parent's objects, which an edit must not change.
    """

    candidate_id: int
    origin: Origin
    names: tuple[str, ...]
    sha256: str
    text: str
    found: tuple[tuple[LabelledBox, float], ...]
    rival_texts: tuple[str, ...] = ()
    parent_sha256: str | None = None
    parent_boxes: tuple[LabelledBox, ...] = ()
    kept_rles: tuple[Rle, ...] = ()
    asked: LabelledBox | None = None
    iou_min: float = 0.5
    domain_texts: tuple[str, ...] = ()
    background: str | None = None
    checks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Embedded:
    """An image as CLIP sees it.

    Attributes:
        embedding: (D,) float32 of unit length.
        scale: The logit of a text is this times its cosine.
        cosines: Its similarity to the text and to each rival text, in [-1, 1].
        domain_cosines: To the text of its domain and of each other one; None without domains.
        replies: Answers of a vision-language model.
    """

    embedding: NDArray[np.float32]
    scale: float
    cosines: NDArray[np.float32]
    domain_cosines: NDArray[np.float32] | None = None
    replies: tuple[VisualReply, ...] = ()


@dataclass(frozen=True, slots=True)
class Measurement:
    """Measurements of a candidate.

    Attributes:
        scores: Values by score name.
        phash: Perceptual hash, 64 bits as hexadecimal digits.
        embedding: (D,) float32 of unit length.
        replies: Answers of a vision-language model.
    """

    scores: dict[str, float]
    phash: str
    embedding: NDArray[np.float32]
    replies: tuple[VisualReply, ...] = ()


def images_compared(subject: FilterInput) -> Sequence[str]:
    """Return the candidate's image, for the encoder and for `measure`, and its parent's if any."""
    parents = [subject.parent_sha256] if subject.parent_sha256 else []
    return (subject.sha256, subject.sha256, *parents)


def measure(resources: Resources, subject: FilterInput, embedded: Embedded) -> Measurement:
    """Return a candidate's scores and fingerprint."""
    image, cosines = resources.images.get(subject.sha256), embedded.cosines
    parent = resources.images.get(subject.parent_sha256) if subject.parent_sha256 else None
    measured = {
        CLIP_SIMILARITY.name: float(cosines[0]),
        **_examine(image),
        **_measure(subject),
    }
    if subject.origin is Origin.EDITED and subject.rival_texts:
        measured[BACKGROUND.name] = _probability_of_first(cosines, embedded.scale)
    if embedded.domain_cosines is not None:
        measured[DOMAIN.name] = _probability_of_first(embedded.domain_cosines, embedded.scale)
    if parent is not None:
        measured |= _compare(subject, parent, image)
    measured |= scores_of(embedded.replies)
    measured |= measure_by_plugins(subject, image, parent)
    phash = fingerprints.perceptual_hash(image)
    return Measurement(measured, phash, embedded.embedding, embedded.replies)


def _examine(image: RgbImage) -> dict[str, float]:
    """Return the scores of the image alone."""
    light = image_quality.light(image)
    return {
        BRIGHTEST.name: light.brightest,
        DARKEST.name: light.darkest,
        CONTRAST.name: light.contrast,
        BLUR.name: image_quality.blur(image),
    }


def _measure(subject: FilterInput) -> dict[str, float]:
    """Return the scores of the boxes alone."""
    found = [box for box, _ in subject.found]
    asked = subject.names or tuple(name for name, _ in found)
    confidences = [confidence for (name, _), confidence in subject.found if name in asked]
    scores = {LABEL_CONFIDENCE.name: max(confidences, default=0.0)}
    if subject.parent_sha256:
        scores[OBJECTS_KEPT.name] = kept_share(subject.parent_boxes, found, subject.iou_min)
    if subject.asked:
        scores[FILL_IOU.name] = best_iou(subject.asked, found)
    return scores


def _compare(subject: FilterInput, before: RgbImage, after: RgbImage) -> dict[str, float]:
    """Return the similarity in the region that should not change, if there is one."""
    region = unchanged_region(subject, before.shape[:2])
    measured = {
        PSNR.name: image_similarity.psnr(before, after, region),
        SSIM.name: image_similarity.ssim(before, after, region),
        SEAM.name: image_similarity.seam(before, after, ~region) if subject.asked else None,
    }
    return {name: value for name, value in measured.items() if value is not None}


def measure_by_plugins(
    subject: FilterInput,
    image: RgbImage,
    parent: RgbImage | None,
    plugins: Plugins = PLUGIN_RULES,
) -> dict[str, float]:
    """Return the scores of the rules of plug-ins that apply to the candidate.

    Raises:
        PluginBroken: If a plug-in fails, or returns no finite number.
    """
    applied = [one for one in plugins.found.values() if subject.origin in one.value.origins]
    if not applied:
        return {}
    objects = tuple(Detection(label, confidence, box) for (label, box), confidence in subject.found)
    shown = RuleInput(image, subject.text, subject.names, objects, parent)
    values = {plugin.value.name: _measure_by_plugin(plugin, shown) for plugin in applied}
    return {name: value for name, value in values.items() if value is not None}


def _measure_by_plugin(plugin: Plugin, shown: RuleInput) -> float | None:
    """Return the score of a rule of a plug-in.

    Raises:
        PluginBroken: If the plug-in fails, or returns no finite number.
    """
    rule: ImageRule = plugin.value
    who = f"the filter rule {rule.name!r} of the package {plugin.package} {plugin.version}"
    try:
        value = rule.measure(shown)
    except Exception as error:
        raise PluginBroken(f"{who} failed: {type(error).__name__}: {error}") from error
    if value is not None and not math.isfinite(value):
        raise PluginBroken(f"{who} returned {value}; expected a finite number or None.")
    return None if value is None else float(value)


def unchanged_region(subject: FilterInput, shape_hw: tuple[int, ...]) -> Mask:
    """Return the region where pixels must not change: outside a fill, or inside kept objects."""
    height, width = shape_hw
    if subject.asked:
        return ~masks.from_box(subject.asked[1], (width, height))
    kept = [masks.without_edge(masks.decode(rle)) for rle in subject.kept_rles]
    return np.logical_or.reduce(kept) if kept else np.zeros((height, width), dtype=np.bool_)


def _probability_of_first(cosines: np.ndarray, scale: float) -> float:
    """Return the probability of the first text if exactly one of them is true.

    That is a softmax, also over the logits of SigLIP's independent sigmoids: their bias cancels.
    """
    exponentials = np.exp(scale * (cosines - cosines.max()))
    return float(exponentials[0] / exponentials.sum())
