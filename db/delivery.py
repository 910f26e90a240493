"""Claims and leases: decide which worker may run which step.

A message holds only a batch id; the database rows decide. A step is claimed by compare-and-set with
a new token and a lease. Every later write of its worker calls `fence` first, or `finish_with`, so a
worker that lost its lease cannot change anything.

These functions follow the order of locks in docs/architecture.md: a transaction of a worker locks
its step first and its batch last, and `release_expired` waits for no row.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from sqlalchemy import case, update
from sqlalchemy.orm import Session

from chatgenimage.db.clock import Clock
from chatgenimage.db.delivery_statements import (
    CLAIM,
    EXPIRED,
    FENCE,
    FINISH,
    FINISH_WITH,
    FREE,
    HELD,
    MAY_CONTINUE,
    OWNERS,
    POSTPONE,
)
from chatgenimage.db.models import Batch, Step
from chatgenimage.db.states import StepState

DIED = "process exited"
"""Beginning of the reason that `note_death` stores; a sweep that comes later keeps it."""
_why_expired = case((Step.error.startswith(DIED), Step.error), else_="lease expired")


class LeaseLost(Exception):
    """Another worker holds the step now; the results of this worker are dropped."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a step until the lease ends.

    Attributes:
        step_id: Id of the step.
        token: Random name of the claim, which `fence` checks.
        lease_s: Duration of the lease; each heartbeat renews it for this long.
        attempt: Number of claims of the step so far, this one included.
        claimed_at: On the holder's monotonic clock, taken before the claim was sent.
    """

    step_id: int
    token: str
    lease_s: float
    attempt: int = 1
    claimed_at: float = field(default_factory=time.monotonic)


def claim_step(  # noqa: PLR0913  # a claim says what, who, for how long and with which models
    session: Session,
    batch_id: int,
    name: str,
    *,
    owner: str,
    lease_s: float,
    models_key: str | None = None,
) -> tuple[Claim, bool] | None:
    """Claim the batch's current step if its name is `name` and no worker holds it.

    Args:
        session: An open transaction.
        batch_id: The batch id in the message.
        name: The step name in the message.
        owner: The name of the worker process.
        lease_s: How long the claim lasts without a heartbeat.
        models_key: The models that the worker has; None claims steps of any run.

    Returns:
        The claim and whether it is the first of the step. None if the message is a duplicate, too
        early or too late, or if the run is paused, cancelled, needs other models or is previewed.
    """
    asked_at, token = time.monotonic(), uuid4().hex
    asked = {
        "of_batch": batch_id,
        "called": name,
        "their_models": models_key,
        "new_token": token,
        "new_owner": owner,
        "lease_s": lease_s,
    }
    taken = session.connection().execute(CLAIM, asked).one_or_none()
    if taken is None:
        return None
    return Claim(taken.id, token, lease_s, taken.attempts, asked_at), taken.attempts == 1


def get_held_step(session: Session, claim: Claim) -> Step:
    """Return the claimed step with its batch, run and label.

    Apart from states, these rows do not change while the step is held, so the holder may reuse
    them in later transactions; `fence` checks the states.
    """
    return session.scalars(HELD, {"held_step": claim.step_id}).one()


def fence(session: Session, claim: Claim) -> bool:
    """Extend the lease; fail the transaction if the claim is no longer valid.

    Returns:
        Whether the holder should start another pass: the run and step were not stopped.

    Raises:
        LeaseLost: If another worker claimed the step.
    """
    asked = {"held_step": claim.step_id, "held_token": claim.token, "lease_s": claim.lease_s}
    may_continue = session.connection().scalar(FENCE, asked)
    if may_continue is None:
        raise LeaseLost(claim.step_id)
    return bool(may_continue)


def may_continue(session: Session, claim: Claim) -> bool:
    """Return whether `fence` would let the holder start another pass; changes nothing."""
    asked = {"held_step": claim.step_id, "held_token": claim.token}
    return bool(session.connection().scalar(MAY_CONTINUE, asked))


def finish_step(session: Session, claim: Claim) -> bool:
    """Finish the step unless items are open; return whether it is done. Call after `fence`."""
    return session.connection().execute(FINISH, {"held_step": claim.step_id}).rowcount == 1


def finish_with(session: Session, claim: Claim, item_ids: Sequence[int]) -> bool:
    """Finish the step if no other items are open and the holder may continue, without `fence`.

    This is `fence` and `finish_step` in one statement, for a step of one pass: the same transaction
    settles its items afterwards.

    Returns:
        Whether it is done. If not, nothing has changed, and `fence` says why.
    """
    asked = {"held_step": claim.step_id, "held_token": claim.token, "ids": item_ids}
    return session.connection().execute(FINISH_WITH, asked).rowcount == 1


def release_step(session: Session, claim: Claim, *, delay_s: float = 0.0, error: str = "") -> None:
    """Give the step back; it is queued again after `delay_s` seconds."""
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


def postpone_step(session: Session, batch_id: int, *, delay_s: float) -> None:
    """Queue the batch's current step again after `delay_s` seconds, unless a worker holds it."""
    asked = {"of_batch": batch_id, "delay_s": delay_s}
    if session.connection().execute(POSTPONE, asked).rowcount:
        session.connection().execute(update(Batch).where(Batch.id == batch_id).values(rung_at=None))


def request_stop(session: Session, owner: str) -> None:
    """Ask the worker process `owner` to give its steps back after the current pass."""
    session.execute(
        update(Step)
        .where(Step.owner == owner, Step.state == StepState.RUNNING)
        .values(stop_requested=True)
        .execution_options(synchronize_session=False)
    )


def release_expired(session: Session, owners: Sequence[str] = ()) -> int:
    """Free the steps whose lease has expired or whose owner is dead; return how many.

    A step that another transaction changes now is left for the next sweep.
    """
    connection = session.connection()
    found = connection.execute(EXPIRED, {"dead": owners}).all()
    if found:
        step_ids, batch_ids = [row.id for row in found], [row.batch_id for row in found]
        freed = FREE | {"error": _why_expired}
        connection.execute(update(Step).where(Step.id.in_(step_ids)).values(freed))
        connection.execute(update(Batch).where(Batch.id.in_(batch_ids)).values(rung_at=None))
    return len(found)


def note_death(session: Session, batch_id: int, owners: str, reason: str) -> None:
    """Store why a worker's child ended, with the step of the batch that it held.

    Args:
        session: An open transaction.
        batch_id: Of the message that the child had.
        owners: The beginning of the names of the worker's children.
        reason: For people; begins with `DIED`, and is kept until the step is done.
    """
    session.connection().execute(
        update(Step)
        .where(Step.batch_id == batch_id, Step.state != StepState.DONE)
        .where(Step.owner.startswith(owners, autoescape=True))
        .values(error=reason)
    )


def list_owners(session: Session) -> list[str]:
    """Return the names of all processes that hold a step."""
    return [owner for owner in session.connection().scalars(OWNERS) if owner]
