"""Averages of earlier runs with the same models: seconds, accepted shares and tokens."""

from dataclasses import dataclass

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from chatgenimage.db.models import Batch, Candidate, Item, LlmCall, Run, Step
from chatgenimage.db.states import ItemState, Verdict


@dataclass(frozen=True, slots=True)
class MeanTime:
    """Mean computing time of an item of a step, in seconds, and over how many items."""

    seconds: float
    items: int


@dataclass(frozen=True, slots=True)
class MeanTokens:
    """Mean number of tokens of a question and of its answer, and over how many questions."""

    sent: float
    received: float
    questions: int


def mean_times(
    session: Session, models_key: str, search_for: str | None = None
) -> dict[str, MeanTime]:
    """Return the mean time by name of the step; a step that was never measured is not in it.

    Args:
        session: An open transaction.
        models_key: Of the runs.
        search_for: Only runs with this `chain.search_for`; None: all.
    """
    query = (
        select(Step.name, func.avg(Item.duration_s), func.count(Item.duration_s))
        .join(Item, Item.step_id == Step.id)
        .join(Batch, Batch.id == Step.batch_id)
        .where(Batch.run_id.in_(_runs(models_key, search_for)))
        .where(Item.state == ItemState.DONE, Item.duration_s.is_not(None))
        .group_by(Step.name)
    )
    return {name: MeanTime(seconds, items) for name, seconds, items in session.execute(query)}


def accepted_shares(session: Session, models_key: str) -> dict[str, float]:
    """Return the share of judged candidates that were accepted, in [0, 1], by origin."""
    accepted = func.count(Candidate.id).filter(Candidate.verdict == Verdict.ACCEPTED)
    query = (
        select(Candidate.origin, accepted, func.count(Candidate.id))
        .where(Candidate.run_id.in_(_runs(models_key)), Candidate.verdict.is_not(None))
        .group_by(Candidate.origin)
    )
    return {origin: part / whole for origin, part, whole in session.execute(query)}


def mean_tokens(session: Session, models_key: str) -> dict[str, MeanTokens]:
    """Return the mean number of counted tokens by kind of question, e.g. "prompts"."""
    query = (
        select(
            LlmCall.question,
            func.avg(LlmCall.prompt_tokens),
            func.avg(LlmCall.completion_tokens),
            func.count(LlmCall.id),
        )
        .where(LlmCall.run_id.in_(_runs(models_key)))
        .where(LlmCall.prompt_tokens.is_not(None), LlmCall.completion_tokens.is_not(None))
        .group_by(LlmCall.question)
    )
    return {
        question: MeanTokens(float(sent), float(received), count)
        for question, sent, received, count in session.execute(query)
    }


def _runs(models_key: str, search_for: str | None = None) -> Select[int]:
    query = select(Run.id).where(Run.models_key == models_key)
    if search_for is None:
        return query
    stored = Run.profile["chain"]["search_for"].as_string()  # the default is not stored
    return query.where(func.coalesce(stored, "label") == search_for)
