"""Costs of language models: cached answers, totals per run, and the budget of a run."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import exists, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from chatgenimage.db.models import LlmAnswer, LlmCall, Run
from chatgenimage.db.notifications import add_notifications
from chatgenimage.db.states import RunEvent, RunState


@dataclass(frozen=True, slots=True)
class Spending:
    """Number and cost of a run's language model calls.

    Attributes:
        calls: Number of calls, including refused and reused answers.
        reused: Those answered from the cache at no cost.
        refused: Those whose answer could not be used.
        prompt_tokens: Tokens sent in paid calls.
        completion_tokens: Tokens received in paid calls.
        cost: In the currency of the profile's prices.
        budget: Maximum cost; None is no limit.
    """

    calls: int
    reused: int
    refused: int
    prompt_tokens: int
    completion_tokens: int
    cost: float
    budget: float | None


def find_answer(session: Session, key: str) -> list[dict[str, Any]] | None:
    """Return the cached conversation for this request, None if there is none."""
    return session.scalar(select(LlmAnswer.exchanges).where(LlmAnswer.key == key))


def add_answer(session: Session, key: str, exchanges: list[dict[str, Any]]) -> None:
    """Cache a conversation; replaces an earlier or concurrent one for the same request."""
    is_postgres = session.get_bind().dialect.name == "postgresql"
    insert = postgresql.insert if is_postgres else sqlite.insert
    statement = insert(LlmAnswer).values(key=key, exchanges=exchanges)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[LlmAnswer.key], set_={"exchanges": statement.excluded.exchanges}
        )
    )


def is_recorded(session: Session, request_key: str) -> bool:
    """Return whether a call with this request was recorded with a used answer."""
    found = exists().where(LlmCall.request_key == request_key, LlmCall.problem.is_(None))
    return bool(session.scalar(select(found)))


def spend(session: Session, run_id: int, cost: float) -> None:
    """Add a cost to the run, and pause the run if its budget is spent."""
    session.execute(
        update(Run)
        .where(Run.id == run_id)
        .values(spent=Run.spent + cost)
        .execution_options(synchronize_session=False)
    )
    spent, budget = session.execute(select(Run.spent, Run.budget).where(Run.id == run_id)).one()
    if budget is not None and spent >= budget:
        paused = session.scalar(
            update(Run)
            .where(Run.id == run_id, Run.state == RunState.ACTIVE)
            .values(state=RunState.PAUSED, pause_reason=tell_spent(spent, budget))
            .returning(Run.id)
            .execution_options(synchronize_session=False)
        )
        if paused is not None:
            add_notifications(session, run_id, RunEvent.BUDGET_SPENT)


def tell_spent(spent: float, budget: float) -> str:
    """Return the reason why a run with this budget is paused."""
    return f"its budget of {budget:.2f} is spent ({spent:.4f})"


def spending(session: Session, run: Run) -> Spending:
    """Return the totals of the run's calls."""
    paid = LlmCall.is_reused.is_(False)
    row = session.execute(
        select(
            func.count(LlmCall.id),
            func.count(LlmCall.id).filter(LlmCall.is_reused),
            func.count(LlmCall.id).filter(LlmCall.problem.is_not(None)),
            func.coalesce(func.sum(LlmCall.prompt_tokens).filter(paid), 0),
            func.coalesce(func.sum(LlmCall.completion_tokens).filter(paid), 0),
        ).where(LlmCall.run_id == run.id)
    ).one()
    return Spending(*row, cost=run.spent, budget=run.budget)
