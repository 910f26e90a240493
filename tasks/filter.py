"""Filter: measure each candidate, then accept or reject it (section 3.5; Algorithm 1 line 14)."""

from collections.abc import Sequence

from celery import shared_task
from sqlalchemy import select
from sqlalchemy.orm import Session

from chatgenimage.db.models import Annotation, Candidate, Fingerprint, Score, Step, VisualAnswer
from chatgenimage.db.states import Origin
from chatgenimage.db.verdicts import set_verdict
from chatgenimage.tasks.domains import texts_to_compare
from chatgenimage.tasks.filter_measures import (
    Embedded,
    FilterInput,
    Measurement,
    images_compared,
    measure,
)
from chatgenimage.tasks.filter_rules import (
    CLIP_RANK,
    RULES,
    Judgement,
    LabelledBox,
    Limits,
    ScoredCandidate,
    certain,
    expected_text,
    find_place,
    judge_siblings,
    thresholds_of,
)
from chatgenimage.tasks.options import RunOptions
from chatgenimage.tasks.resources import Resources
from chatgenimage.tasks.step import run_task
from chatgenimage.tasks.step_definition import StepWork, names_asked, options_of
from chatgenimage.tasks.visual_checks import VisualReply, ask_judge, questions_about
from chatgenimage.tasks.words import painted_as
from chatgenimage.workers import fingerprints
from chatgenimage.workers.interfaces import ImageTextEncoder, VisualJudge
from chatgenimage.workers.llm.text import clean
from chatgenimage.workers.masks import Rle
from chatgenimage.workers.values import RgbImage

MOST_ANSWER, MOST_MODEL = 1000, 200
"""Characters of an answer and of a model's name that are stored."""


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
        texts_to_compare(step.batch, options.chain),
        candidate.scene.background if candidate.scene else None,
        options.chain.visual_checks,
    )


def texts_of(candidate: Candidate, options: RunOptions) -> tuple[str, tuple[str, ...]]:
    """Return a description of the expected image, and the same with each other background."""
    if candidate.origin == Origin.IMPORTED:  # nothing is known about its content
        return candidate.caption or "", ()
    if candidate.parent is None or candidate.scene is None:
        return candidate.prompt_text, ()
    there = certain(candidate.parent.annotations, options.thresholds)
    names = [annotation.label for annotation in there]
    if candidate.placement:
        names.append(candidate.placement.label)
    labels = [painted_as(name, options.chain) for name in names]
    background = candidate.scene.background
    place = find_place(candidate.scene.description, background)
    text = expected_text(labels, place)
    rivals = [other for other in options.chain.background_list if other != background]
    return text, tuple(text.replace(background, rival) for rival in rivals)


def compute(resources: Resources, subjects: Sequence[FilterInput]) -> list[Embedded]:
    """Return the embedding of each image and its similarity to the texts."""
    encoder = resources.able(ImageTextEncoder)
    images = [resources.images.get(each.sha256) for each in subjects]
    embeddings = encoder.embed_images(images)
    replies = _judge(resources, subjects, images)
    return [
        Embedded(
            embedding,
            encoder.logit_scale.scale,
            encoder.embed_texts([subject.text, *subject.rival_texts]) @ embedding,
            encoder.embed_texts(subject.domain_texts) @ embedding if subject.domain_texts else None,
            answers,
        )
        for subject, embedding, answers in zip(subjects, embeddings, replies, strict=True)
    ]


def _judge(
    resources: Resources, subjects: Sequence[FilterInput], images: Sequence[RgbImage]
) -> list[tuple[VisualReply, ...]]:
    """Return a vision-language model's answers about each image; none if there is no such model."""
    judge = resources.find(VisualJudge)
    if judge is None:
        return [() for _ in subjects]
    questions = [
        questions_about(
            subject.checks,
            (subject.asked[0],) if subject.asked else subject.names,
            subject.background,
            [box for box, _ in subject.found],
        )
        for subject in subjects
    ]
    return ask_judge(judge, images, questions)


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
    for reply in measured.replies:
        session.merge(
            VisualAnswer(
                candidate_id=candidate.id,
                name=reply.question.name,
                index=reply.question.index,
                question=reply.question.text,
                answer=clean(reply.answer)[:MOST_ANSWER],
                value=reply.value,
                model=reply.model[:MOST_MODEL],
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


def _boxes(annotations: Sequence[Annotation]) -> tuple[LabelledBox, ...]:
    return tuple((annotation.label, annotation.box_xyxy) for annotation in annotations)


FILTER = StepWork(
    "filter",
    plan,
    read,
    compute,
    write,
    conclude,
    images_of=images_compared,
    finish=measure,
    overlaps=True,
    models=(ImageTextEncoder, VisualJudge),
)


@shared_task(name="filter")
def filter_candidates(batch_id: int) -> str:
    """Judge the new images of a batch."""
    return run_task(FILTER, batch_id)
