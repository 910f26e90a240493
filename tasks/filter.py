"""Filter: measure each candidate, then accept or reject it (section 3.5; Algorithm 1 line 14)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from celery import shared_task
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from chatgenimage.db.models import Annotation, Candidate, Fingerprint, Score, Step
from chatgenimage.db.states import Origin
from chatgenimage.db.verdicts import set_verdict
from chatgenimage.tasks.domains import texts_to_compare
from chatgenimage.tasks.filter_rules import (
    BACKGROUND,
    BLUR,
    BRIGHTEST,
    CLIP_RANK,
    CLIP_SIMILARITY,
    CONTRAST,
    DARKEST,
    DOMAIN,
    FILL_IOU,
    LABEL_CONFIDENCE,
    OBJECTS_KEPT,
    PSNR,
    RULES,
    SEAM,
    SSIM,
    Judgement,
    LabelledBox,
    Limits,
    ScoredCandidate,
    best_iou,
    certain,
    expected_text,
    find_place,
    judge_siblings,
    kept_share,
    thresholds_of,
)
from chatgenimage.tasks.options import RunOptions
from chatgenimage.tasks.resources import Resources
from chatgenimage.tasks.step import run_step
from chatgenimage.tasks.step_definition import StepWork, names_asked, options_of
from chatgenimage.workers import fingerprints, image_quality, image_similarity, masks
from chatgenimage.workers.interfaces import ImageTextEncoder
from chatgenimage.workers.masks import Rle
from chatgenimage.workers.values import Mask, RgbImage

CLIP_LOGIT_SCALE = 100.0
"""CLIP's trained temperature (Radford et al. 2021): cosine times this before the softmax."""


@dataclass(frozen=True, slots=True)
class FilterInput:
    """A candidate with everything that it is compared with.

    Attributes:
        names: Labels of which it should show one; empty if it may show anything.
        text: Description of what the image should show.
        rival_texts: The same text with each other background; empty if no background is required.
        domain_texts: The label in the required domain, then its rivals; empty without domains.
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


@dataclass(frozen=True, slots=True)
class Measurement:
    """Measurements of a candidate.

    Attributes:
        scores: Values by score name.
        phash: Perceptual hash, 64 bits as hexadecimal digits.
        embedding: (D,) float32 of unit length.
    """

    scores: dict[str, float]
    phash: str
    embedding: NDArray[np.float32]


def plan(session: Session, step: Step) -> Sequence[int]:
    """Return the round's candidates without a verdict."""
    return session.scalars(
        select(Candidate.id)
        .where(Candidate.batch_id == step.batch_id, Candidate.round == step.round)
        .where(Candidate.verdict.is_(None))
        .order_by(Candidate.key)
    ).all()


def read(session: Session, step: Step, candidate_id: int) -> FilterInput:
    """Return the candidate, its parent, and the texts that it is compared with."""
    candidate = session.get_one(Candidate, candidate_id)
    options = options_of(step)
    parent, placement = candidate.parent, candidate.placement
    text, rivals = texts_of(candidate, options)
    kept = certain(parent.annotations, options.thresholds) if parent else ()
    return FilterInput(
        candidate.id,
        Origin(candidate.origin),
        names_asked(step),
        candidate.sha256,
        text,
        tuple(((a.label, a.box_xyxy), a.confidence) for a in candidate.annotations),
        rivals,
        parent.sha256 if parent else None,
        _boxes(kept),
        tuple(Rle(size=a.rle["size"], counts=a.rle["counts"]) for a in kept),
        (placement.label, placement.box_xyxy) if placement else None,
        options.thresholds.object_kept_iou_min,
        texts_to_compare(step.batch),
    )


def texts_of(candidate: Candidate, options: RunOptions) -> tuple[str, tuple[str, ...]]:
    """Return a description of the expected image, and the same with each other background."""
    if candidate.origin == Origin.IMPORTED:  # nothing is known about its content
        return candidate.caption or "", ()
    if candidate.parent is None or candidate.scene is None:
        return candidate.prompt_text, ()
    there = certain(candidate.parent.annotations, options.thresholds)
    labels = [annotation.label for annotation in there]
    if candidate.placement:
        labels.append(candidate.placement.label)
    background = candidate.scene.background
    place = find_place(candidate.scene.description, background)
    text = expected_text(labels, place)
    rivals = [other for other in options.chain.background_list if other != background]
    return text, tuple(text.replace(background, rival) for rival in rivals)


def compute(resources: Resources, subjects: Sequence[FilterInput]) -> list[Measurement]:
    """Return each candidate's scores and fingerprint."""
    encoder = resources.able(ImageTextEncoder)
    images = [resources.images.get(subject.sha256) for subject in subjects]
    embeddings = encoder.embed_images(images)
    measurements = []
    for subject, image, embedding in zip(subjects, images, embeddings, strict=True):
        cosines = encoder.embed_texts([subject.text, *subject.rival_texts]) @ embedding
        measured = {
            CLIP_SIMILARITY.name: float(cosines[0]),
            **_examine(image),
            **_measure(subject),
        }
        if subject.origin is Origin.EDITED and subject.rival_texts:
            measured[BACKGROUND.name] = _probability_of_first(cosines)
        if subject.domain_texts:
            cosines = encoder.embed_texts(subject.domain_texts) @ embedding
            measured[DOMAIN.name] = _probability_of_first(cosines)
        if subject.parent_sha256:
            measured |= _compare(subject, resources.images.get(subject.parent_sha256), image)
        measurements.append(Measurement(measured, fingerprints.perceptual_hash(image), embedding))
    return measurements


def write(session: Session, _step: Step, subject: FilterInput, measured: Measurement) -> None:
    """Store the scores; verdicts are derived from them when all siblings are measured."""
    candidate = session.get_one(Candidate, subject.candidate_id)
    session.merge(
        Fingerprint(
            candidate_id=candidate.id,
            phash=measured.phash,
            embedding=fingerprints.pack(measured.embedding),
        )
    )
    there = {score.name for score in candidate.scores}
    candidate.scores.extend(
        Score(name=name, value=value)
        for name, value in measured.scores.items()
        if name not in there
    )


def conclude(session: Session, step: Step) -> None:
    """Filter the round: rank siblings, then write verdict and reason."""
    limits = thresholds_of(options_of(step).thresholds)
    open_ones = session.scalars(
        select(Candidate)
        .where(Candidate.batch_id == step.batch_id, Candidate.round == step.round)
        .where(Candidate.verdict.is_(None))
        .order_by(Candidate.key)
    ).all()
    measured = [
        ScoredCandidate(
            candidate.id,
            Origin(candidate.origin),
            candidate.parent_id,
            {score.name: score.value for score in candidate.scores},
        )
        for candidate in open_ones
    ]
    judgements = judge_siblings(measured, limits)
    for candidate in open_ones:
        give_verdict(candidate, judgements[candidate.id], limits)


def give_verdict(candidate: Candidate, judgement: Judgement, limits: Limits) -> None:
    """Write a verdict, and the threshold next to each score."""
    if judgement.rank is not None:
        candidate.scores.append(Score(name=CLIP_RANK.name, value=float(judgement.rank)))
    rules = {rule.name: rule for rule in RULES[Origin(candidate.origin)]}
    for score in candidate.scores:
        if rule := rules.get(score.name):
            score.threshold = limits[score.name]
            score.passed = rule.passes(score.value, score.threshold)
    set_verdict(candidate, judgement.verdict, judgement.reason)


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


def unchanged_region(subject: FilterInput, shape_hw: tuple[int, ...]) -> Mask:
    """Return the region where pixels must not change: outside a fill, or inside kept objects."""
    height, width = shape_hw
    if subject.asked:
        return ~masks.from_box(subject.asked[1], (width, height))
    kept = [masks.without_edge(masks.decode(rle)) for rle in subject.kept_rles]
    return np.logical_or.reduce(kept) if kept else np.zeros((height, width), dtype=np.bool_)


def _probability_of_first(cosines: np.ndarray) -> float:
    exponentials = np.exp(CLIP_LOGIT_SCALE * (cosines - cosines.max()))
    return float(exponentials[0] / exponentials.sum())


def _boxes(annotations: Sequence[Annotation]) -> tuple[LabelledBox, ...]:
    return tuple((annotation.label, annotation.box_xyxy) for annotation in annotations)


FILTER = StepWork("filter", plan, read, compute, write, conclude)


@shared_task(name="filter")
def filter_candidates(batch_id: int) -> None:
    """Judge the new images of a batch."""
    run_step(FILTER, batch_id)
