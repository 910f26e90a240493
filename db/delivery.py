"""Who may work on what: the rows decide, a message is only a doorbell.

A step is claimed by compare-and-set under a fresh token and a lease. Every later write of its
worker goes through `fence`, so a worker that lost its lease can change nothing any more.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Float, String, and_, bindparam, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from db.models import Batch, Run, Step
from db.session import Clock
from db.states import BatchState, RunState, StepState

FREE: dict[str, Any] = {"state": StepState.READY, "token": None, "lease_until": None}
"""What stands in a step that nobody holds."""


_other = aliased(Step)
_first_unfinished = (
    select(_other.id)
    .where(_other.batch_id == bindparam("of_batch"), _other.state != StepState.DONE)
    .order_by(_other.position)
    .limit(1)
    .scalar_subquery()
)
_is_free: ColumnElement[bool] = or_(
    and_(Step.state == StepState.READY, Step.run_after <= Clock()),
    and_(Step.state == StepState.RUNNING, Step.lease_until < Clock()),
)
_run_is_ours = (
    select(Run.id)
    .join(Batch, Batch.run_id == Run.id)
    .where(Batch.id == Step.batch_id, Run.state == RunState.ACTIVE)
    .where(func.coalesce(bindparam("their_models", type_=String), Run.models_key) == Run.models_key)
    .exists()
)

# Built once: every step runs these, and building a statement takes longer than running it.
CLAIM = (
    update(Step)
    .where(Step.id == _first_unfinished, Step.name == bindparam("called"), _is_free, _run_is_ours)
    .values(
        state=StepState.RUNNING,
        token=bindparam("new_token"),
        owner=bindparam("new_owner"),
        attempts=Step.attempts + 1,
        lease_until=Clock() + bindparam("lease_s", type_=Float),
        stop_requested=False,
        started_at=Clock(),
    )
    .returning(Step.id, Step.attempts)
    .execution_options(synchronize_session=False)
)
FENCE = (
    update(Step)
    .where(Step.id == bindparam("held_step"), Step.token == bindparam("held_token"))
    .where(Step.state == StepState.RUNNING)
    .values(lease_until=Clock() + bindparam("lease_s", type_=Float))
    .returning(Step.id)
    .execution_options(synchronize_session=False)
)
FINISH = (
    update(Step)
    .where(Step.id == bindparam("held_step"))
    .values(FREE | {"state": StepState.DONE, "finished_at": Clock(), "error": None})
    .returning(Step.batch_id)
    .execution_options(synchronize_session=False)
)
END_BATCH = (
    update(Batch)
    .where(Batch.id == bindparam("of_batch"), _first_unfinished.is_(None))
    .values(state=BatchState.DONE)
    .execution_options(synchronize_session=False)
)


class LeaseLost(Exception):
    """Somebody else holds the step now; whatever this worker computed for it is dropped."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a step until the lease ends.

    Attributes:
        step_id: Which step.
        token: What the fence asks for.
        lease_s: How long each renewal holds.
        attempt: How many claims the step has seen, this one included.
        claimed_at: On the holder's monotonic clock, before it asked.
    """

    step_id: int
    token: str
    lease_s: float
    attempt: int = 1
    claimed_at: float = field(default_factory=time.monotonic)


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
    asked_at, token = time.monotonic(), uuid4().hex
    taken = session.execute(
        CLAIM,
        {
            "of_batch": batch_id,
            "called": name,
            "their_models": models_key,
            "new_token": token,
            "new_owner": owner,
            "lease_s": lease_s,
        },
    ).one_or_none()
    if taken is None:
        return None
    return Claim(taken.id, token, lease_s, taken.attempts, asked_at), taken.attempts == 1


def is_workable(models_key: str | None) -> ColumnElement[bool]:
    """Return the condition on a run that workers with these models may go on with it."""
    active = Run.state == RunState.ACTIVE
    return active if models_key is None else and_(active, Run.models_key == models_key)


def fence(session: Session, claim: Claim) -> None:
    """Extend the lease, or refuse the transaction if the claim is no longer the holder's.

    Raises:
        LeaseLost: If another claim took the step.
    """
    asked = {"held_step": claim.step_id, "held_token": claim.token, "lease_s": claim.lease_s}
    held = session.scalar(FENCE, asked)
    if held is None:
        raise LeaseLost(claim.step_id)


def may_go_on(step: Step) -> bool:
    """Return whether its holder should start another pass: not stopped, paused or cancelled."""
    return not step.stop_requested and step.batch.run.state == RunState.ACTIVE


def finish_step(session: Session, claim: Claim) -> None:
    """Mark the step done, and the batch too when it was the last; call after `fence`."""
    batch_id = session.scalar(FINISH, {"held_step": claim.step_id})
    session.execute(END_BATCH, {"of_batch": batch_id})


def release_step(session: Session, claim: Claim, *, delay_s: float = 0.0, error: str = "") -> None:
    """Give the step back, to be rung for again after `delay_s` seconds."""
    batch_id = session.scalar(
        update(Step)
        .where(Step.id == claim.step_id, Step.token == claim.token)
        .values(FREE | {"run_after": Clock() + delay_s, "error": error or None})
        .returning(Step.batch_id)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        update(Batch)
        .where(Batch.id == batch_id)
        .values(rung_at=None)
        .execution_options(synchronize_session=False)
    )


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
    dead = or_(Step.lease_until < Clock(), Step.owner.in_(owners))
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
