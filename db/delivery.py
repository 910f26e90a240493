"""Who may work on what: the rows decide, a message is only a doorbell.

A step is claimed by compare-and-set under a fresh token and a lease. Every later write of its
worker goes through `fence`, so a worker that lost its lease can change nothing any more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

from sqlalchemy import ColumnElement, CursorResult, Result, and_, or_, select, update
from sqlalchemy.orm import Session

from db.models import Batch, Item, Run, Step
from db.session import now
from db.states import BatchState, ItemState, RunState, StepState


class LeaseLost(Exception):
    """Somebody else holds the step now; whatever this worker computed for it is dropped."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a step until the lease ends."""

    step_id: int
    token: str
    lease_s: float


def current_step(session: Session, batch_id: int) -> Step | None:
    """Return the first step of the batch that is not done, if any."""
    return session.scalar(
        select(Step)
        .where(Step.batch_id == batch_id, Step.state != StepState.DONE)
        .order_by(Step.position)
        .limit(1)
    )


def claim_step(  # noqa: PLR0913  # a claim says what, who, for how long and with which models
    session: Session,
    batch_id: int,
    name: str,
    *,
    owner: str,
    lease_s: float,
    models_key: str | None = None,
) -> tuple[Claim, bool] | None:
    """Take the batch's current step if it is called `name` and free.

    Args:
        session: An open transaction.
        batch_id: Which batch the message spoke of.
        name: Which step it rang for.
        owner: Who claims.
        lease_s: For how long, without a heartbeat.
        models_key: The models that the owner has; None takes runs of any.

    Returns:
        The claim and whether it is the step's first, or None: the message came twice, too early
        or too late, or the run is paused, cancelled or asks for other models.
    """
    step = current_step(session, batch_id)
    if step is None or step.name != name:
        return None
    time, token = now(session), uuid4().hex
    active = select(Run.id).where(is_workable(models_key))
    taken = _rows(
        session.execute(
            update(Step)
            .where(Step.id == step.id, _is_free(time))
            .where(Step.batch_id.in_(select(Batch.id).where(Batch.run_id.in_(active))))
            .values(
                state=StepState.RUNNING,
                token=token,
                owner=owner,
                attempts=Step.attempts + 1,
                lease_until=time + lease_s,
                stop_requested=False,
                started_at=time,
            )
            .execution_options(synchronize_session=False)
        )
    )
    first = step.attempts == 0
    return (Claim(step.id, token, lease_s), first) if taken else None


def is_workable(models_key: str | None) -> ColumnElement[bool]:
    """Return the condition on a run that workers with these models may go on with it."""
    active = Run.state == RunState.ACTIVE
    return active if models_key is None else and_(active, Run.models_key == models_key)


def fence(session: Session, claim: Claim) -> None:
    """Extend the lease, or refuse the transaction if the claim is no longer the holder's.

    Raises:
        LeaseLost: If another claim took the step.
    """
    held = session.execute(
        update(Step)
        .where(Step.id == claim.step_id, Step.token == claim.token)
        .where(Step.state == StepState.RUNNING)
        .values(lease_until=now(session) + claim.lease_s)
        .execution_options(synchronize_session=False)
    )
    if not _rows(held):
        raise LeaseLost(claim.step_id)


def may_go_on(session: Session, claim: Claim) -> bool:
    """Return whether the holder should start another pass: not stopped, paused or cancelled."""
    row = session.execute(
        select(Step.stop_requested, Run.state)
        .join(Batch, Batch.id == Step.batch_id)
        .join(Run, Run.id == Batch.run_id)
        .where(Step.id == claim.step_id)
    ).one()
    return not row.stop_requested and row.state == RunState.ACTIVE


def add_items(session: Session, claim: Claim, subject_ids: Sequence[int]) -> None:
    """Write down the units of the step's work, as far as they are not there yet."""
    there = set(session.scalars(select(Item.subject_id).where(Item.step_id == claim.step_id)))
    session.add_all(
        Item(step_id=claim.step_id, subject_id=subject)
        for subject in subject_ids
        if subject not in there
    )


def open_items(session: Session, claim: Claim) -> list[Item]:
    """Return what is left to do, in order."""
    return list(
        session.scalars(
            select(Item)
            .where(Item.step_id == claim.step_id, Item.state == ItemState.READY)
            .order_by(Item.id)
        )
    )


def count_attempt(session: Session, item_ids: Sequence[int], by: int = 1) -> None:
    """Count an attempt on the items before the work starts, or take it back with -1."""
    session.execute(
        update(Item)
        .where(Item.id.in_(item_ids))
        .values(attempts=Item.attempts + by)
        .execution_options(synchronize_session=False)
    )


def settle_item(
    session: Session,
    item_id: int,
    state: ItemState,
    *,
    error: str | None = None,
    duration_s: float | None = None,
) -> None:
    """Set an item's state and what it cost or why it failed."""
    session.execute(
        update(Item)
        .where(Item.id == item_id)
        .values(state=state, error=error, duration_s=duration_s)
        .execution_options(synchronize_session=False)
    )


def finish_step(session: Session, claim: Claim) -> None:
    """Mark the step done, and the batch too when it was the last; call after `fence`."""
    step = session.get_one(Step, claim.step_id)
    step.state, step.token, step.lease_until = StepState.DONE, None, None
    step.finished_at = now(session)
    step.error = None
    session.flush()
    batch = session.get_one(Batch, step.batch_id)
    batch.rung_at = step.finished_at  # the chain rings for the next step by itself
    if current_step(session, batch.id) is None:
        batch.state = BatchState.DONE


def release_step(session: Session, claim: Claim, *, delay_s: float = 0.0, error: str = "") -> None:
    """Give the step back, to be rung for again after `delay_s` seconds."""
    step = session.get_one(Step, claim.step_id)
    if step.token != claim.token:
        return
    step.state, step.token, step.lease_until = StepState.READY, None, None
    step.run_after, step.error = now(session) + delay_s, error or None
    session.get_one(Batch, step.batch_id).rung_at = None


def request_stop(session: Session, owner: str) -> None:
    """Ask whoever works as `owner` to give its steps back after the pass in hand."""
    session.execute(
        update(Step)
        .where(Step.owner == owner, Step.state == StepState.RUNNING)
        .values(stop_requested=True)
        .execution_options(synchronize_session=False)
    )


def release_expired(session: Session, owners: Sequence[str] = ()) -> int:
    """Free the steps whose lease ran out, or whose owner is known to be dead."""
    time = now(session)
    dead = or_(Step.lease_until < time, Step.owner.in_(owners))
    ids = list(session.scalars(select(Step.id).where(Step.state == StepState.RUNNING, dead)))
    if ids:
        batch_ids = select(Step.batch_id).where(Step.id.in_(ids))
        session.execute(
            update(Batch)
            .where(Batch.id.in_(batch_ids))
            .values(rung_at=None)
            .execution_options(synchronize_session=False)
        )
        session.execute(
            update(Step)
            .where(Step.id.in_(ids), Step.state == StepState.RUNNING, dead)
            .values(state=StepState.READY, token=None, lease_until=None, error="lease expired")
            .execution_options(synchronize_session=False)
        )
    return len(ids)


def list_owners(session: Session) -> list[str]:
    """Return who holds a step now."""
    owners = select(Step.owner).where(Step.state == StepState.RUNNING).distinct()
    return [owner for owner in session.scalars(owners) if owner]


def _is_free(time: float) -> ColumnElement[bool]:
    ready = and_(Step.state == StepState.READY, Step.run_after <= time)
    expired = and_(Step.state == StepState.RUNNING, Step.lease_until < time)
    return or_(ready, expired)


def _rows(result: Result[object]) -> int:
    assert isinstance(result, CursorResult)  # noqa: S101  # an UPDATE gives nothing else
    return result.rowcount
