"""Generate: paint initial images from prompts (section 3.1; Algorithm 1 line 1, I0 = SD(w0))."""

from collections.abc import Sequence

from celery import shared_task
from sqlalchemy import select
from sqlalchemy.orm import Session

from chatgenimage.db.models import Prompt, Step
from chatgenimage.tasks.errors import LabelUnread
from chatgenimage.tasks.image_lineage import (
    Lineage,
    PaintedPixels,
    add_candidate,
    lineage_of_prompt,
    painted_by,
    store_painted,
    unread_of,
)
from chatgenimage.tasks.painting import notes_of, paint
from chatgenimage.tasks.resources import Resources
from chatgenimage.tasks.step import run_task
from chatgenimage.tasks.step_definition import StepWork
from chatgenimage.workers.interfaces import ImageGenerator
from chatgenimage.workers.llm.word_forms import mentions


def plan(session: Session, step: Step) -> Sequence[int]:
    """Return the batch's prompts."""
    prompts = select(Prompt.id).where(Prompt.batch_id == step.batch_id).order_by(Prompt.index)
    return session.scalars(prompts).all()


def read(session: Session, step: Step, prompt_id: int) -> Lineage:
    """Return the lineage of the image to paint."""
    return lineage_of_prompt(step, session.get_one(Prompt, prompt_id))


def compute(resources: Resources, lineages: Sequence[Lineage]) -> list[PaintedPixels]:
    """Paint the images.

    Raises:
        LabelUnread: If a prompt names its label only where the generator does not read.
        UnfitOptions: If the generator cannot paint what the label asks for.
    """
    generator = resources.able(ImageGenerator)
    for lineage, unread in zip(lineages, unread_of(generator, lineages), strict=True):
        _refuse_unread_label(lineage, unread)
    options = [lineage.options for lineage in lineages]
    images = paint(
        generator,
        [lineage.prompt_text for lineage in lineages],
        [lineage.seed for lineage in lineages],
        options,
    )
    return painted_by(generator, lineages, images, [notes_of(each) for each in options])


def _refuse_unread_label(lineage: Lineage, unread: str) -> None:
    read = lineage.prompt_text.removesuffix(unread)
    word = lineage.painted_as or lineage.label
    if unread and not mentions(read, word):
        raise LabelUnread(
            f"the painting model does not read the end of the prompt, and {word!r} is "
            f"only there: {unread[:200]!r}. Ask for shorter prompts: set max_prompt_words of the "
            "profile's language model."
        )


GENERATE = StepWork(
    "generate",
    plan,
    read,
    compute,
    add_candidate,
    finish=store_painted,
    overlaps=True,
    models=(ImageGenerator,),
)


@shared_task(name="generate")
def generate(batch_id: int) -> str:
    """Paint the initial images of a batch."""
    return run_task(GENERATE, batch_id)
