"""Ledger: records of language model calls with answers and costs."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from chatgenimage.db import spending
from chatgenimage.db.models import LlmCall, Step
from chatgenimage.workers.values import Exchange


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
    if cost := sum(call.cost for call in calls):
        session.flush()
        spending.spend(session, step.batch.run_id, cost)


def _to_call(step: Step, subject_id: int, exchange: Exchange, *, is_reused: bool) -> LlmCall:
    return LlmCall(
        run_id=step.batch.run_id,
        step_id=step.id,
        subject_id=subject_id,
        question=exchange.question,
        model=exchange.model,
        messages=list(exchange.messages),
        answer=exchange.answer,
        prompt_tokens=exchange.prompt_tokens,
        completion_tokens=exchange.completion_tokens,
        duration_s=exchange.duration_s,
        problem=exchange.problem,
        request_key=exchange.request_key,
        is_reused=is_reused,
        cost=0.0 if is_reused else exchange.cost,
    )
