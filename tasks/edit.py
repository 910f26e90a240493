"""Imagine and edit: imagine new scenes around an image, then repaint its background.

Sections 3.3 and 3.4 (Background Imagination); Algorithm 1 lines 8 to 11. `imagine`, which needs
the language model, is a step of its own, so that no GPU waits for a language model.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from celery import shared_task
from sqlalchemy import select
from sqlalchemy.orm import Session

from chatgenimage.db.models import Candidate, Scene, Step
from chatgenimage.db.states import Verdict
from chatgenimage.tasks.ask_each import ask_each
from chatgenimage.tasks.image_lineage import (
    Lineage,
    PaintedPixels,
    add_candidate,
    derive_seed,
    lineage_of_scene,
    painted_by,
    parents_of,
    store_painted,
)
from chatgenimage.tasks.ledger import record_exchanges
from chatgenimage.tasks.resources import Resources
from chatgenimage.tasks.step import run_task
from chatgenimage.tasks.step_definition import StepWork, options_of
from chatgenimage.tasks.words import class_of_word, names_by_painted, painted_as
from chatgenimage.workers.errors import AnswerRefused, ConversationFailed
from chatgenimage.workers.interfaces import BackgroundEditor, LanguageModel
from chatgenimage.workers.llm.english import EDIT_INSTRUCTION
from chatgenimage.workers.values import Answer, Exchange, ImaginedScene

MOST_TURNS = 3
"""How often scenes are asked for, as long as some are missing."""


@dataclass(frozen=True, slots=True)
class ParentCandidate:
    """A candidate as described to the language model."""

    candidate_id: int
    caption: str
    objects: tuple[str, ...]
    count: int
    seed: int
    domain: str | None = None


def plan_imagine(session: Session, step: Step) -> Sequence[int]:
    """Return the parents of the round: the accepted candidates of the previous round."""
    return session.scalars(
        select(Candidate.id)
        .where(Candidate.batch_id == step.batch_id, Candidate.round == step.round - 1)
        .where(Candidate.verdict == Verdict.ACCEPTED)
        .order_by(Candidate.key)
    ).all()


def read_parent(session: Session, step: Step, candidate_id: int) -> ParentCandidate:
    """Return the description of the parent."""
    candidate = session.get_one(Candidate, candidate_id)
    options = options_of(step).chain
    names = [annotation.label for annotation in candidate.annotations]
    labels = dict.fromkeys(painted_as(name, options) for name in names)
    return ParentCandidate(
        candidate.id,
        candidate.caption or "",
        tuple(labels),
        options.scenes_per_candidate,
        derive_seed(candidate.seed, "scenes"),
        step.batch.domain,
    )


def compute_imagine(
    resources: Resources, parents: Sequence[ParentCandidate]
) -> list[Answer[tuple[ImaginedScene, ...]]]:
    """Ask for scenes around each parent."""
    language = resources.able(LanguageModel)
    return ask_each(lambda parent: imagine_around(language, parent), parents)


def imagine_around(
    language: LanguageModel, parent: ParentCandidate
) -> Answer[tuple[ImaginedScene, ...]]:
    """Return scenes around a parent; those missing from an answer are asked for again.

    Raises:
        ConversationFailed: If no usable scene came; carries every exchange.
    """
    scenes: list[ImaginedScene] = []
    exchanges: list[Exchange] = []
    for turn in range(MOST_TURNS):
        try:
            answer = language.imagine_scenes(
                parent.caption,
                parent.objects,
                parent.count - len(scenes),
                domain=parent.domain,
                avoid=[scene.background for scene in scenes],
                seed=derive_seed(parent.seed, turn) if turn else parent.seed,
            )
        except ConversationFailed as failure:
            exchanges += failure.exchanges
            if not scenes or not isinstance(failure, AnswerRefused):
                raise type(failure)(str(failure), exchanges) from None
            break
        scenes += answer.value
        exchanges += answer.exchanges
        if len(scenes) >= parent.count:
            break
    return Answer(tuple(scenes), tuple(exchanges))


def write_scenes(
    session: Session, step: Step, parent: ParentCandidate, answer: Answer[tuple[ImaginedScene, ...]]
) -> None:
    """Write the scenes, their objects by the names of their classes, and the calls."""
    candidate = session.get_one(Candidate, parent.candidate_id)
    found = [annotation.label for annotation in candidate.annotations]
    options = options_of(step).chain
    names = names_by_painted(found, options)
    session.add_all(
        Scene(
            candidate_id=parent.candidate_id,
            index=index,
            background=scene.background,
            objects=[names.get(word) or class_of_word(word, options) for word in scene.objects],
            description=scene.description,
        )
        for index, scene in enumerate(answer.value[: parent.count])
    )
    record_exchanges(session, step, parent.candidate_id, answer.exchanges)


def plan_edit(session: Session, step: Step) -> Sequence[int]:
    """Return the round's scenes."""
    return session.scalars(
        select(Scene.id)
        .join(Candidate, Candidate.id == Scene.candidate_id)
        .where(Candidate.batch_id == step.batch_id, Candidate.round == step.round - 1)
        .order_by(Candidate.key, Scene.index)
    ).all()


def read_edit(session: Session, step: Step, scene_id: int) -> Lineage:
    """Return the image to edit and the instruction."""
    scene = session.get_one(Scene, scene_id)
    return lineage_of_scene(step, scene, EDIT_INSTRUCTION.format(background=scene.background))


def compute_edit(resources: Resources, lineages: Sequence[Lineage]) -> list[PaintedPixels]:
    """Repaint the backgrounds."""
    editor = resources.able(BackgroundEditor)
    images = editor.edit(
        [resources.images.get(lineage.parent_sha256 or "") for lineage in lineages],
        [lineage.prompt_text for lineage in lineages],
        [lineage.seed for lineage in lineages],
    )
    return painted_by(editor, lineages, images)


IMAGINE = StepWork(
    "imagine", plan_imagine, read_parent, compute_imagine, write_scenes, models=(LanguageModel,)
)
EDIT = StepWork(
    "edit",
    plan_edit,
    read_edit,
    compute_edit,
    add_candidate,
    images_of=parents_of,
    finish=store_painted,
    overlaps=True,
    models=(BackgroundEditor,),
)


@shared_task(name="imagine")
def imagine(batch_id: int) -> str:
    """Imagine scenes around a batch's accepted images."""
    return run_task(IMAGINE, batch_id)


@shared_task(name="edit")
def edit(batch_id: int) -> str:
    """Change the backgrounds of a batch."""
    return run_task(EDIT, batch_id)
