"""The units of a step's work: written down when it is planned, tried, and settled one by one."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from db.delivery import Claim
from db.models import Item
from db.states import ItemState

WHOLE_STEP = -1
"""The subject of the item that stands for its step as a whole: there once that itself failed."""

# Built once, as those of db/delivery.py.
OPEN = (
    select(Item)
    .where(Item.step_id == bindparam("of_step"), Item.state == ItemState.READY)
    .where(Item.subject_id != WHOLE_STEP)
    .order_by(Item.id)
    .execution_options(populate_existing=True)
)
START = (
    update(Item)
    .where(Item.id.in_(bindparam("ids", expanding=True)))
    .values(attempts=Item.attempts + 1, worker=bindparam("tried_by"))
    .execution_options(synchronize_session=False)
)


def add_items(session: Session, claim: Claim, subject_ids: Sequence[int]) -> None:
    """Write down the units of the step's work, as far as they are not there yet."""
    there = set(session.scalars(select(Item.subject_id).where(Item.step_id == claim.step_id)))
    rows = [
        {"step_id": claim.step_id, "subject_id": subject}
        for subject in subject_ids
        if subject not in there
    ]
    if rows:
        session.execute(insert(Item), rows)


def open_items(session: Session, claim: Claim) -> Sequence[Item]:
    """Return what is left to do, in order."""
    return session.scalars(OPEN, {"of_step": claim.step_id}).all()


def find_whole(session: Session, claim: Claim) -> Item | None:
    """Return the item that stands for the step as a whole, if that itself ever failed."""
    asked = select(Item).where(Item.step_id == claim.step_id, Item.subject_id == WHOLE_STEP)
    return session.scalar(asked)


def fail_whole(
    session: Session, claim: Claim, *, worker: str, error: str, inputs: dict[str, Any]
) -> Item:
    """Count a failed try of the step as a whole; return the item that stands for it."""
    whole = find_whole(session, claim)
    if whole is None:
        whole = Item(step_id=claim.step_id, subject_id=WHOLE_STEP, attempts=0)
        session.add(whole)
    whole.attempts += 1
    whole.state, whole.worker, whole.error, whole.inputs = ItemState.READY, worker, error, inputs
    return whole


def start_items(session: Session, item_ids: Sequence[int], worker: str) -> None:
    """Count an attempt on the items before the work starts, so that crashes count."""
    session.execute(START, {"ids": item_ids, "tried_by": worker})


def put_back_items(session: Session, item_ids: Sequence[int]) -> None:
    """Take back an attempt that did not come to an end, for no fault of the items."""
    session.execute(
        update(Item)
        .where(Item.id.in_(item_ids), Item.attempts > 0)
        .values(attempts=Item.attempts - 1)
        .execution_options(synchronize_session=False)
    )


def settle_items(  # noqa: PLR0913  # what became of items has four sides
    session: Session,
    item_ids: Sequence[int],
    state: ItemState,
    *,
    error: str | None = None,
    inputs: dict[str, Any] | None = None,
    duration_s: float | None = None,
) -> None:
    """Set the items' state and what each cost, or why it failed and what it was given."""
    session.execute(
        update(Item)
        .where(Item.id.in_(item_ids))
        .values(state=state, error=error, inputs=inputs, duration_s=duration_s)
        .execution_options(synchronize_session=False)
    )
