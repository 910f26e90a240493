"""Place and fill: propose boxes for new objects, then paint the objects into them.

Sections 3.3 (Box Candidates Generation) and 3.4 (Foreground Object Filling); Algorithm 1 line 12.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from celery import shared_task
from sqlalchemy import select
from sqlalchemy.orm import Session

from chatgenimage.db.models import Candidate, Placement, Step
from chatgenimage.db.states import SURPLUS, Origin
from chatgenimage.tasks.ask_each import ask_each
from chatgenimage.tasks.filter_rules import find_place
from chatgenimage.tasks.image_lineage import (
    Lineage,
    PaintedImage,
    PaintedPixels,
    add_candidate,
    derive_seed,
    lineage_of_placement,
    painted_by,
    parents_of,
    store_painted,
)
from chatgenimage.tasks.ledger import record_exchanges
from chatgenimage.tasks.predictions import choose_best, predict
from chatgenimage.tasks.resources import Resources
from chatgenimage.tasks.step import run_task
from chatgenimage.tasks.step_definition import StepWork, names_asked, options_of
from chatgenimage.tasks.words import class_of_word, names_by_painted, painted_as
from chatgenimage.workers import boxes, masks
from chatgenimage.workers.interfaces import ImageTextEncoder, LanguageModel, ObjectFiller
from chatgenimage.workers.llm.english import with_article
from chatgenimage.workers.values import Answer, BoxXyxy, Detection
from chatgenimage.workers.values import ProposedObject as Proposal

PROPOSALS_PER_PLACEMENT = 3


@dataclass(frozen=True, slots=True)
class EditedCandidate:
    """An edited candidate as described to the language model."""

    candidate_id: int
    caption: str
    existing: tuple[Detection, ...]
    targets: tuple[str, ...]
    size_wh: tuple[int, int]
    wanted: int
    seed: int


@dataclass(frozen=True, slots=True)
class FillRequest:
    """An object to paint, its box, and the number of predictions to choose from."""

    lineage: Lineage
    box_xyxy: BoxXyxy
    predictions: int = 1


def plan_place(session: Session, step: Step) -> Sequence[int]:
    """Return the round's edited candidates that kept their objects."""
    return session.scalars(
        select(Candidate.id)
        .where(Candidate.batch_id == step.batch_id, Candidate.round == step.round)
        .where(Candidate.origin == Origin.EDITED, Candidate.verdict.is_(None))
        .order_by(Candidate.key)
    ).all()


def read_place(session: Session, step: Step, candidate_id: int) -> EditedCandidate:
    """Return the image's description and boxes; targets are missing objects of the scene."""
    candidate = session.get_one(Candidate, candidate_id)
    options = options_of(step).chain
    there = {annotation.label for annotation in candidate.annotations}
    existing = tuple(
        Detection(painted_as(a.label, options), a.confidence, a.box_xyxy)
        for a in candidate.annotations
    )
    imagined = candidate.scene.objects if candidate.scene else []
    return EditedCandidate(
        candidate.id,
        candidate.caption or "",
        existing,
        tuple(painted_as(name, options) for name in imagined if name not in there),
        (candidate.width_px, candidate.height_px),
        options.placements_per_candidate,
        derive_seed(candidate.seed, "placements"),
    )


def compute_place(
    resources: Resources, canvases: Sequence[EditedCandidate]
) -> list[Answer[tuple[Proposal, ...]]]:
    """Request more boxes than needed: some will break the rules."""
    language = resources.able(LanguageModel)
    return ask_each(lambda canvas: _propose(language, canvas), canvases)


def write_place(
    session: Session, step: Step, canvas: EditedCandidate, answer: Answer[tuple[Proposal, ...]]
) -> None:
    """Write every proposal by the name of its class; invalid ones with their problem."""
    scene = session.get_one(Candidate, canvas.candidate_id).scene
    asked = [*names_asked(step), *(scene.objects if scene else ())]
    options = options_of(step).chain
    names = names_by_painted(asked, options)
    problems = judge_proposals(answer.value, canvas)
    for index, (proposal, problem) in enumerate(zip(answer.value, problems, strict=True)):
        x_min, y_min, x_max, y_max = proposal.box_xyxy
        session.add(
            Placement(
                candidate_id=canvas.candidate_id,
                index=index,
                label=names.get(proposal.label) or class_of_word(proposal.label, options),
                x_min=x_min,
                y_min=y_min,
                x_max=x_max,
                y_max=y_max,
                relationship_text=proposal.relationship,
                problem=problem,
            )
        )
    record_exchanges(session, step, canvas.candidate_id, answer.exchanges)


def judge_proposals(proposals: Sequence[Proposal], canvas: EditedCandidate) -> list[str | None]:
    """Return the problem of each proposal; None for those to be filled."""
    taken = [detection.box_xyxy for detection in canvas.existing]
    problems: list[str | None] = []
    for proposal in proposals:
        problem = boxes.placement_problem(proposal.box_xyxy, taken, canvas.size_wh)
        if problem is None and problems.count(None) >= canvas.wanted:
            problem = SURPLUS
        if problem is None:
            taken.append(proposal.box_xyxy)
        problems.append(problem)
    return problems


def plan_fill(session: Session, step: Step) -> Sequence[int]:
    """Return the round's valid placements."""
    return session.scalars(
        select(Placement.id)
        .join(Candidate, Candidate.id == Placement.candidate_id)
        .where(Candidate.batch_id == step.batch_id, Candidate.round == step.round)
        .where(Placement.problem.is_(None))
        .order_by(Candidate.key, Placement.index)
    ).all()


def read_fill(session: Session, step: Step, placement_id: int) -> FillRequest:
    """Return the object to paint and its box."""
    placement = session.get_one(Placement, placement_id)
    scene = placement.candidate.scene
    options = options_of(step).chain
    prompt_text = options.fill_prompt.format(
        object=with_article(painted_as(placement.label, options)),
        relationship=placement.relationship_text,
        place=find_place(scene.description, scene.background) if scene else "",
    )
    lineage = lineage_of_placement(step, placement, prompt_text)
    return FillRequest(lineage, placement.box_xyxy, options.fill_predictions)


def compute_fill(resources: Resources, fillings: Sequence[FillRequest]) -> list[PaintedPixels]:
    """Paint the objects into their boxes."""
    filler = resources.able(ObjectFiller)
    lineages = [filling.lineage for filling in fillings]
    images = [resources.images.get(lineage.parent_sha256 or "") for lineage in lineages]
    mask_images = [
        masks.from_box(filling.box_xyxy, (image.shape[1], image.shape[0]))
        for filling, image in zip(fillings, images, strict=True)
    ]
    count = fillings[0].predictions
    filled = list(predict(filler, images, mask_images, lineages, count))
    if count == 1:
        return painted_by(filler, lineages, filled[0])
    encoder = resources.able(ImageTextEncoder)
    best, notes = choose_best(encoder, filled, mask_images, lineages)
    return painted_by(filler, lineages, best, notes)


def store_filled(
    resources: Resources, filling: FillRequest, painted: PaintedPixels
) -> PaintedImage:
    """Store an image, with its provenance in the PNG."""
    return store_painted(resources, filling.lineage, painted)


def write_fill(session: Session, step: Step, filling: FillRequest, painted: PaintedImage) -> None:
    """Write the candidate's row."""
    add_candidate(session, step, filling.lineage, painted)


def _propose(language: LanguageModel, canvas: EditedCandidate) -> Answer[tuple[Proposal, ...]]:
    """Ask where to add the missing objects of the scene; if none is missing, ask nothing."""
    if not canvas.targets:
        return Answer(())
    return language.place_objects(
        canvas.caption,
        canvas.existing,
        canvas.targets,
        canvas.wanted * PROPOSALS_PER_PLACEMENT,
        size_wh=canvas.size_wh,
        seed=canvas.seed,
    )


PLACE = StepWork(
    "place", plan_place, read_place, compute_place, write_place, models=(LanguageModel,)
)
FILL = StepWork(
    "fill",
    plan_fill,
    read_fill,
    compute_fill,
    write_fill,
    images_of=lambda filling: parents_of(filling.lineage),
    finish=store_filled,
    overlaps=True,
    models=(ObjectFiller,),
)


@shared_task(name="place")
def place(batch_id: int) -> str:
    """Propose new objects for a batch's edited images."""
    return run_task(PLACE, batch_id)


@shared_task(name="fill")
def fill(batch_id: int) -> str:
    """Paint the proposed objects of a batch."""
    return run_task(FILL, batch_id)
