"""Costs of language models: cached answers, totals per run, and the budget of a run."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, case, delete, exists, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from chatgenimage.db.models import Batch, Item, LlmAnswer, LlmCall, Run, Step
from chatgenimage.db.notifications import add_notifications
from chatgenimage.db.states import ItemState, RunEvent, RunState, StepState

BUDGETS = (
    select(
        Run.state,
        *(Run.spent, Run.budget, Run.costliest_item),
        *(Run.spent_tokens, Run.token_budget, Run.longest_item_tokens),
    )
    .where(Run.id == bindparam("of_run"))
    .with_for_update(key_share=True)
)
_started_items = (
    select(func.count())
    .where(Item.step_id == Step.id, Item.state == ItemState.READY, Item.attempts > 0)
    .scalar_subquery()
)
# From the few running steps to their batches, never through all batches of the run.
_run_of_step = select(Batch.run_id).where(Batch.id == Step.batch_id).scalar_subquery()
OTHER_PAID_STEPS = select(_started_items).where(
    Step.state == StepState.RUNNING,
    Step.queue.in_(bindparam("paid_queues", expanding=True)),
    Step.id != bindparam("of_step"),
    _run_of_step == bindparam("of_run"),
)
"""Per running paid step of the run, except one: its started items, those to be retried included."""


@dataclass(frozen=True, slots=True)
class Spending:
    """Number and cost of a run's language model calls.

    Attributes:
        calls: Number of calls, including refused and reused answers.
        reused: Those answered from the cache at no cost.
        refused: Those whose answer could not be used.
        prompt_tokens: Tokens sent in paid calls, as far as the server counted them.
        completion_tokens: Tokens received in paid calls, as far as the server counted them.
        unknown: Paid answers whose tokens the server did not count: their cost is unknown.
        cost: Of the counted tokens, in the currency of the profile's prices.
        budget: Maximum cost; None is no limit.
        token_budget: Maximum number of tokens, sent and received; None is no limit.
    """

    calls: int
    reused: int
    refused: int
    prompt_tokens: int
    completion_tokens: int
    unknown: int
    cost: float
    budget: float | None
    token_budget: int | None


@dataclass(frozen=True, slots=True)
class RemainingBudget:
    """A budget of a run: what is spent of it, and what the costliest item so far has cost."""

    spent: float
    budget: float
    costliest_item: float | None

    def pays_for(self, most: int, others: int) -> int:
        """Return how many items may start, 0 to `most`, while so many others run."""
        most = most if self.costliest_item is not None else 1 - min(others, 1)
        costliest = self.costliest_item or 0.0
        paid = (n for n in range(most, 0, -1) if self._covers((others + n) * costliest))
        return next(paid, 0 if others else 1)

    def _covers(self, cost: float) -> bool:
        return self.spent + cost <= self.budget


def find_answer(session: Session, key: str) -> list[dict[str, Any]] | None:
    """Return the cached conversation for this request, None if there is none."""
    return session.scalar(select(LlmAnswer.exchanges).where(LlmAnswer.key == key))


def add_answer(
    session: Session, key: str, exchanges: list[dict[str, Any]], image_sha256: str | None = None
) -> None:
    """Cache a conversation; replaces an earlier or concurrent one for the same request.

    Args:
        session: An open transaction.
        key: Hash of the request.
        exchanges: The conversation.
        image_sha256: The stored image that the answer is; None for a text.
    """
    is_postgres = session.get_bind().dialect.name == "postgresql"
    insert = postgresql.insert if is_postgres else sqlite.insert
    statement = insert(LlmAnswer).values(key=key, exchanges=exchanges, image_sha256=image_sha256)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[LlmAnswer.key],
            set_={
                "exchanges": statement.excluded.exchanges,
                "image_sha256": statement.excluded.image_sha256,
            },
        )
    )


def delete_answers(session: Session, keys: Sequence[str]) -> None:
    """Remove the conversations that answered these requests."""
    session.execute(delete(LlmAnswer).where(LlmAnswer.key.in_(keys)))


def is_recorded(session: Session, request_key: str) -> bool:
    """Return whether the ledger has the conversation that was opened by this request."""
    found = exists().where(LlmCall.request_key == request_key)
    return bool(session.scalar(select(found)))


def spend(session: Session, run_id: int, cost: float, tokens: int = 0) -> None:
    """Add the cost and the tokens of an item to the run; pause the run if its budget is spent."""
    costliest = func.coalesce(Run.costliest_item, 0.0)
    longest = func.coalesce(Run.longest_item_tokens, 0)
    session.execute(
        update(Run)
        .where(Run.id == run_id)
        .values(
            spent=Run.spent + cost,
            costliest_item=case((costliest < cost, cost), else_=costliest),
            spent_tokens=Run.spent_tokens + tokens,
            longest_item_tokens=case((longest < tokens, tokens), else_=longest),
        )
        .execution_options(synchronize_session=False)
    )
    columns = (Run.spent, Run.budget, Run.spent_tokens, Run.token_budget)
    found = session.execute(select(*columns).where(Run.id == run_id)).one()
    spent, budget, spent_tokens, token_budget = found
    reason = describe_spent(  # what costs nothing spends no budget, not even one of 0
        spent, budget if cost else None, spent_tokens, token_budget if tokens else None
    )
    if reason:
        pause(session, run_id, reason, RunEvent.BUDGET_SPENT)


def affordable_items(
    session: Session, run_id: int, step_id: int, most: int, paid_queues: Collection[str]
) -> int:
    """Return how many items a running step may start: as many as the run's budget pays for.

    Every item may cost as much as the costliest so far; while no cost is known, only one may run.
    A step that runs alone may always start one, so that the run continues. The row of the run is
    locked until the transaction ends, so that steps which are claimed at the same time see each
    other.

    Args:
        session: An open transaction.
        run_id: The run; if it is not active, the answer is 0.
        step_id: A running step of it, none of whose items is being computed.
        most: The highest answer, at least 1.
        paid_queues: Queues of the steps whose items may cost money.
    """
    asked = {"of_run": run_id, "of_step": step_id, "paid_queues": sorted(paid_queues)}
    found = session.connection().execute(BUDGETS, {"of_run": run_id}).one()
    state, spent, budget, costliest, spent_tokens, token_budget, longest = found
    if state != RunState.ACTIVE:
        return 0
    budgets = []
    if budget is not None:
        budgets.append(RemainingBudget(spent, budget, costliest))
    if token_budget is not None:
        budgets.append(RemainingBudget(spent_tokens, token_budget, longest))
    if not budgets:
        return most
    others = sum(max(1, n) for n in session.connection().scalars(OTHER_PAID_STEPS, asked))
    return min(each.pays_for(most, others) for each in budgets)


def pause(session: Session, run_id: int, reason: str, event: RunEvent) -> bool:
    """Pause a run that cannot succeed now, and queue a notification; return if it was active."""
    paused = session.scalar(
        update(Run)
        .where(Run.id == run_id, Run.state == RunState.ACTIVE)
        .values(state=RunState.PAUSED, pause_reason=reason)
        .returning(Run.id)
        .execution_options(synchronize_session=False)
    )
    if paused is not None:
        add_notifications(session, run_id, event)
    return paused is not None


def describe_spent(
    spent: float, budget: float | None, spent_tokens: int, token_budget: int | None
) -> str | None:
    """Return which budget of a run is spent; None: none is."""
    if budget is not None and spent >= budget:
        return f"its budget of {budget:.2f} is spent ({spent:.4f})"
    if token_budget is not None and spent_tokens >= token_budget:
        return f"its budget of {token_budget} tokens is spent ({spent_tokens})"
    return None


def spent_budget_of(run: Run) -> str | None:
    """Return which budget of a run is spent; None: none is."""
    return describe_spent(run.spent, run.budget, run.spent_tokens, run.token_budget)


def spending(session: Session, run: Run) -> Spending:
    """Return the totals of the run's calls."""
    paid = LlmCall.is_reused.is_(False)
    uncounted = or_(LlmCall.prompt_tokens.is_(None), LlmCall.completion_tokens.is_(None))
    calls, reused, refused, sent, received, unknown = session.execute(
        select(
            func.count(LlmCall.id),
            func.count(LlmCall.id).filter(LlmCall.is_reused),
            func.count(LlmCall.id).filter(LlmCall.problem.is_not(None)),
            func.sum(LlmCall.prompt_tokens).filter(paid),
            func.sum(LlmCall.completion_tokens).filter(paid),
            func.count(LlmCall.id).filter(paid, uncounted),
        ).where(LlmCall.run_id == run.id)
    ).one()
    return Spending(
        calls=calls,
        reused=reused,
        refused=refused,
        prompt_tokens=sent or 0,
        completion_tokens=received or 0,
        unknown=unknown,
        cost=run.spent,
        budget=run.budget,
        token_budget=run.token_budget,
    )
