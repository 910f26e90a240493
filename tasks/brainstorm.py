"""Brainstorm: write prompts for a label (section 3.1, Table 1 rows 1 and 2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice

import structlog
from celery import shared_task
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from chatgenimage.db.models import Batch, Prompt, Step
from chatgenimage.tasks.image_lineage import derive_seed
from chatgenimage.tasks.ledger import record_exchanges
from chatgenimage.tasks.resources import Resources
from chatgenimage.tasks.step import run_task
from chatgenimage.tasks.step_definition import StepWork, options_of
from chatgenimage.tasks.words import painted_as
from chatgenimage.workers.errors import AnswerRefused, ConversationFailed
from chatgenimage.workers.interfaces import LanguageModel
from chatgenimage.workers.prompt_novelty import Novelty
from chatgenimage.workers.values import Answer, Exchange

log = structlog.get_logger()

MOST_TURNS = 3
"""Requests for prompts while some are missing; an answer that is merely short does not count."""


@dataclass(frozen=True, slots=True)
class PromptRequest:
    """A request for prompts.

    Attributes:
        variation: Number of the batch among those of its label and domain, so that they get
            different prompts.
        most_alike: Share of common words at which two prompts count as the same.
        features_seed: Equal for all batches, so that the features do not depend on which one asks.
        known: Prompts of the label's other batches, in order.
        domain: Domain of the batch; None without domains.
    """

    label: str
    features: tuple[str, ...] | None
    count: int
    mode: str
    variation: int
    seed: int
    features_seed: int
    most_alike: float
    known: tuple[str, ...] = ()
    domain: str | None = None


@dataclass(frozen=True, slots=True)
class PromptIdeas:
    """The features and prompts in the answers.

    Attributes:
        repeats: Prompts that repeat others; used if there are too few new ones.
    """

    features: tuple[str, ...]
    prompts: tuple[str, ...]
    repeats: tuple[str, ...]
    exchanges: tuple[Exchange, ...]


def plan(_session: Session, step: Step) -> list[int]:
    """Return the batch as one item: its prompts are requested together, so that they differ."""
    return [step.batch_id]


def read(session: Session, step: Step, _subject_id: int) -> PromptRequest:
    """Return the request; a label's features are requested only once."""
    batch, label = step.batch, step.batch.label
    known = session.scalars(
        select(Prompt.text)
        .join(Batch, Batch.id == Prompt.batch_id)
        .where(Batch.label_id == label.id, Batch.id != batch.id)
        .order_by(Batch.index, Prompt.index)
    )
    return PromptRequest(
        label=painted_as(label.name, options_of(step).chain),
        features=None if label.features is None else tuple(label.features),
        count=batch.size,
        mode=label.mode,
        variation=batch.index if batch.domain is None else _number_in_domain(session, batch),
        seed=derive_seed(batch.run.seed, label.name, f"b{batch.index}"),
        features_seed=derive_seed(batch.run.seed, label.name, "features"),
        most_alike=options_of(step).chain.prompt_similarity_max,
        known=tuple(known),
        domain=batch.domain,
    )


def compute(resources: Resources, questions: Sequence[PromptRequest]) -> list[PromptIdeas]:
    """Request visual features, then prompts that use them."""
    return [brainstorm_prompts(resources.able(LanguageModel), question) for question in questions]


def write(session: Session, step: Step, question: PromptRequest, ideas: PromptIdeas) -> None:
    """Write one prompt per image; missing ones are filled up with repeats under other seeds."""
    step.batch.label.features = list(ideas.features)
    spare = cycle(ideas.repeats or ideas.prompts)
    missing = question.count - len(ideas.prompts)
    if missing > 0:
        log.warning("prompts_repeat", label=question.label, repeats=missing)
    texts = [*ideas.prompts, *islice(spare, max(missing, 0))]
    session.add_all(
        Prompt(
            batch_id=step.batch_id, index=index, text=text, is_repeat=index >= len(ideas.prompts)
        )
        for index, text in enumerate(texts)
    )
    record_exchanges(session, step, step.batch_id, ideas.exchanges)


def brainstorm_prompts(language: LanguageModel, question: PromptRequest) -> PromptIdeas:
    """Return the features of a label and as many new prompts for it as could be found."""
    exchanges: list[Exchange] = []
    features = question.features
    try:
        if features is None:
            described = language.describe_features(question.label, seed=question.features_seed)
            features = described.value
            exchanges += described.exchanges
        prompts, repeats = _write_new(language, question, features, exchanges)
    except ConversationFailed as failure:
        # The features were paid for, even if the prompts failed.
        raise type(failure)(str(failure), (*exchanges, *failure.exchanges)) from None
    return PromptIdeas(features, tuple(prompts), tuple(repeats), tuple(exchanges))


def _write_new(
    language: LanguageModel,
    question: PromptRequest,
    features: Sequence[str],
    exchanges: list[Exchange],
) -> tuple[list[str], list[str]]:
    """Return the new prompts and the repeats; append the exchanges to `exchanges`.

    Prompts are missing after repeats, and where an answer has fewer usable prompts than requested;
    they are requested again.

    Raises:
        ConversationFailed: If the first request has no usable answer, or the server is away.
    """
    novelty = Novelty(question.known, question.most_alike)
    new: list[str] = []
    repeats: list[str] = []
    asked = turns = 0
    while turns < MOST_TURNS and len(new) < question.count:
        missing = question.count - len(new)
        avoid: Sequence[str] = [*repeats, *new, *question.known] if asked else ()
        seed = derive_seed(question.seed, asked) if asked else question.seed
        try:
            written = _request_prompts(
                language, question, features, missing, avoid=avoid, seed=seed
            )
        except AnswerRefused as refusal:
            if not asked:
                raise
            exchanges += refusal.exchanges
            break
        asked += 1
        exchanges += written.exchanges
        is_new = [novelty.take(text) for text in written.value]
        for text, taken in zip(written.value, is_new, strict=True):
            (new if taken else repeats).append(text)
        turns += not (len(is_new) < missing and any(is_new))
    return new, repeats


def _request_prompts(  # noqa: PLR0913  # the request has that many parts
    language: LanguageModel,
    question: PromptRequest,
    features: Sequence[str],
    count: int,
    *,
    avoid: Sequence[str],
    seed: int,
) -> Answer[tuple[str, ...]]:
    """Return up to `count` prompts that should not repeat those to avoid."""
    return language.write_prompts(
        question.label,
        features,
        count,
        mode=question.mode,
        variation=question.variation,
        domain=question.domain,
        avoid=avoid,
        seed=seed,
    )


def _number_in_domain(session: Session, batch: Batch) -> int:
    """Return how many batches of the label come before the batch in its domain."""
    earlier = select(func.count()).where(
        Batch.label_id == batch.label_id,
        Batch.domain == batch.domain,
        Batch.index < batch.index,
    )
    return session.scalar(earlier) or 0


BRAINSTORM = StepWork("brainstorm", plan, read, compute, write, pass_size=1)


@shared_task(name="brainstorm")
def brainstorm(batch_id: int) -> str:
    """Write the prompts of a batch."""
    return run_task(BRAINSTORM, batch_id)
