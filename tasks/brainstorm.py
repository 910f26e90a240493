"""Brainstorm: from a label word to prompts (section 3.1, Table 1 rows 1 and 2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice

from celery import shared_task
from sqlalchemy.orm import Session

from db.models import Prompt, Step
from tasks.ledger import record_exchanges
from tasks.painting import derive_seed
from tasks.resources import Resources
from tasks.step import StepWork, run_step
from workers.errors import AnswerRefused, EndpointUnavailable
from workers.interfaces import LanguageModel
from workers.values import Exchange


@dataclass(frozen=True, slots=True)
class Question:
    """What prompts are asked for.

    Attributes:
        variation: Tells a label's batches apart.
        features_seed: The same for all of them: whichever asks first, the answer is the label's.
    """

    label: str
    features: tuple[str, ...] | None
    count: int
    mode: str
    variation: int
    seed: int
    features_seed: int


@dataclass(frozen=True, slots=True)
class Ideas:
    """The features and prompts that came back."""

    features: tuple[str, ...]
    prompts: tuple[str, ...]
    exchanges: tuple[Exchange, ...]


def plan(_session: Session, step: Step) -> list[int]:
    """Return the batch: its prompts are asked for at once, so that they differ."""
    return [step.batch_id]


def read(_session: Session, step: Step, _subject_id: int) -> Question:
    """Return the question; the label's features are asked only once."""
    batch, label = step.batch, step.batch.label
    features = None if label.features is None else tuple(label.features)
    seed = derive_seed(batch.run.seed, label.name, f"b{batch.index}")
    features_seed = derive_seed(batch.run.seed, label.name, "features")
    return Question(label.name, features, batch.size, label.mode, batch.index, seed, features_seed)


def compute(resources: Resources, questions: Sequence[Question]) -> list[Ideas]:
    """Ask for visual features, then for prompts that use them."""
    return [_brainstorm(resources.able(LanguageModel), question) for question in questions]


def write(session: Session, step: Step, question: Question, ideas: Ideas) -> None:
    """Write one prompt per image; a short answer is used in turn, with other seeds."""
    step.batch.label.features = list(ideas.features)
    session.add_all(
        Prompt(batch_id=step.batch_id, index=index, text=text)
        for index, text in enumerate(islice(cycle(ideas.prompts), question.count))
    )
    record_exchanges(session, step, step.batch_id, ideas.exchanges)


def _brainstorm(language: LanguageModel, question: Question) -> Ideas:
    exchanges: tuple[Exchange, ...] = ()
    features = question.features
    if features is None:
        described = language.describe_features(question.label, seed=question.features_seed)
        features, exchanges = described.value, described.exchanges
    try:
        written = language.write_prompts(
            question.label,
            features,
            question.count,
            mode=question.mode,
            variation=question.variation,
            seed=question.seed,
        )
    except (AnswerRefused, EndpointUnavailable) as failure:
        # The features were paid for, whatever became of the prompts.
        raise type(failure)(str(failure), (*exchanges, *failure.exchanges)) from None
    return Ideas(features, written.value, exchanges + written.exchanges)


BRAINSTORM = StepWork("brainstorm", plan, read, compute, write, pass_size=1)


@shared_task(name="brainstorm")
def brainstorm(batch_id: int) -> None:
    """Write the prompts of a batch."""
    run_step(BRAINSTORM, batch_id)
