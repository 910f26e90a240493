"""Ledger: records of language model calls with answers and costs."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from sqlalchemy.orm import Session

from chatgenimage.db import spending
from chatgenimage.db.models import LlmCall, Step
from chatgenimage.db.states import RunEvent
from chatgenimage.workers.errors import ConversationFailed, CreditSpent, KeyRefused
from chatgenimage.workers.values import Exchange

BUDGET_WAIT_S = 1.0
"""Time until a step is tried again that the budget has no room for now."""


def record_exchanges(
    session: Session, step: Step, subject_id: int, exchanges: Sequence[Exchange]
) -> None:
    """Record conversations; pause a run whose budget they exhaust.

    A cached conversation costs nothing, unless the worker that paid for it died before it could
    record it: then this is its first record, and the cost counts here.
    """
    keys = {exchange.request_key for exchange in exchanges if exchange.is_reused}
    recorded = {key for key in keys if key and spending.is_recorded(session, key)}
    calls = [
        _to_call(step, subject_id, exchange, is_reused=exchange.request_key in recorded)
        for exchange in exchanges
    ]
    session.add_all(calls)
    cost, paid = sum(call.cost for call in calls), [call for call in calls if not call.is_reused]
    tokens = sum((call.prompt_tokens or 0) + (call.completion_tokens or 0) for call in paid)
    if cost or (_is_limited(step) and paid):
        session.flush()
        spending.spend(session, step.batch.run_id, cost, tokens)


def may_start_item(session: Session, step: Step, paid_queues: AbstractSet[str]) -> bool:
    """Return whether the claimed step may start an item, as far as the run's budget goes."""
    return _affordable(session, step, 1, paid_queues) == 1


def items_in_budget(session: Session, step: Step, most: int, paid_queues: AbstractSet[str]) -> int:
    """Return how many items the claimed step may start at once: 1 to `most`.

    Call after `may_start_item`, in the same transaction.
    """
    return max(1, _affordable(session, step, most, paid_queues))


def _is_limited(step: Step) -> bool:
    run = step.batch.run
    return run.budget is not None or run.token_budget is not None


def _affordable(session: Session, step: Step, most: int, paid_queues: AbstractSet[str]) -> int:
    """Return how many items a step may start; `most` if they are not paid from a budget."""
    if step.queue not in paid_queues or not _is_limited(step):
        return most
    run_id = step.batch.run_id
    return spending.affordable_items(session, run_id, step.id, most, paid_queues)


def record_failed_call(
    session: Session, step: Step, subject_id: int, error: Exception | None
) -> None:
    """Record the conversation that failed with this error, if it is one.

    If the server does not accept the key, or its account has no credit left, the run is paused, as
    for a spent budget: every other item would fail in the same way.
    """
    if isinstance(error, ConversationFailed):
        record_exchanges(session, step, subject_id, error.exchanges)
    if isinstance(error, CreditSpent):
        reason = f"the language model's account has no credit left: {error}".rstrip(".")
        spending.pause(session, step.batch.run_id, reason, RunEvent.CREDIT_SPENT)
    if isinstance(error, KeyRefused):
        reason = f"the server does not accept the key: {error}".rstrip(".")
        spending.pause(session, step.batch.run_id, reason, RunEvent.KEY_REFUSED)


def forget_answers(session: Session, exchanges: Sequence[Exchange]) -> None:
    """Forget the remembered answers that could not be stored, so that a retry asks again."""
    keys = {exchange.request_key for exchange in exchanges if exchange.request_key}
    spending.delete_answers(session, sorted(keys))


def _to_call(step: Step, subject_id: int, exchange: Exchange, *, is_reused: bool) -> LlmCall:
    """Return the row of an exchange; if it is reused, it costs nothing."""
    return LlmCall(
        run_id=step.batch.run_id,
        step_id=step.id,
        subject_id=subject_id,
        question=exchange.question,
        model=exchange.model,
        messages=list(exchange.messages),
        answer=exchange.answer,
        thoughts=exchange.thoughts,
        prompt_tokens=exchange.prompt_tokens,
        completion_tokens=exchange.completion_tokens,
        duration_s=exchange.duration_s,
        problem=exchange.problem,
        request_key=exchange.request_key,
        is_reused=is_reused,
        cost=0.0 if is_reused else exchange.cost,
    )
