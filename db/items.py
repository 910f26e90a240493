"""Items, the units of a step's work: add them, count their attempts, and store their results."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import JSON, BigInteger, Float, String, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT works on SQLite too
from sqlalchemy.orm import Session

from chatgenimage.db.delivery import Claim
from chatgenimage.db.models import Item
from chatgenimage.db.states import WHOLE_STEP, ItemState


class OpenItem(NamedTuple):
    """An open item, with the columns that a worker needs."""

    id: int
    subject_id: int
    attempts: int
    error: str | None
    inputs: dict[str, Any] | None


_columns = tuple(getattr(Item, name) for name in OpenItem._fields)

# Built once and run on the session's connection, like those of db/delivery.py.
ADD = insert(Item).on_conflict_do_nothing().returning(*_columns)
OPEN = (
    select(*_columns)
    .where(Item.step_id == bindparam("of_step"), Item.state == ItemState.READY)
    .where(Item.subject_id != WHOLE_STEP)
    .order_by(Item.id)
)
UNTRIED = OPEN.with_only_columns(Item.id).where(Item.attempts == 0).limit(bindparam("most"))
START = (
    update(Item)
    .values(attempts=Item.attempts + 1, worker=bindparam("tried_by"))
    .returning(*_columns)
)
START_UNTRIED = START.where(Item.id.in_(UNTRIED))
START_ONE = START.where(Item.id == bindparam("of_item"))
# With the step, PostgreSQL finds them by an index even if it plans while the table is empty.
SETTLE = (
    update(Item)
    .where(Item.step_id == bindparam("of_step"))
    .where(Item.id.in_(bindparam("ids", expanding=True)))
    .values(
        state=bindparam("reached", type_=String),
        error=bindparam("why", type_=String),
        inputs=bindparam("given", type_=JSON(none_as_null=True)),
        duration_s=bindparam("took_s", type_=Float),
        gpu_peak_bytes=bindparam("gpu_peak", type_=BigInteger),
    )
)


def add_items(
    session: Session,
    claim: Claim,
    subject_ids: Sequence[int],
    *,
    most: int = 0,
    worker: str | None = None,
) -> list[OpenItem]:
    """Add the items of a step that do not exist yet.

    Returns:
        The new ones among the first `most`, each with an attempt counted as in `start_untried`.
    """
    if not subject_ids:
        return []
    untried = {"step_id": claim.step_id, "attempts": 0, "worker": None}
    started = untried | {"attempts": 1, "worker": worker}
    added = [
        (started if index < most else untried) | {"subject_id": subject}
        for index, subject in enumerate(subject_ids)
    ]
    rows = session.connection().execute(ADD, added)
    return sorted(item for row in rows if (item := OpenItem(*row)).attempts)


def open_items(session: Session, claim: Claim) -> list[OpenItem]:
    """Return the open items, in order."""
    found = session.connection().execute(OPEN, {"of_step": claim.step_id})
    return [OpenItem(*row) for row in found]


def find_whole(session: Session, claim: Claim) -> Item | None:
    """Return the item that represents the whole step; None if the step itself never failed."""
    asked = select(Item).where(Item.step_id == claim.step_id, Item.subject_id == WHOLE_STEP)
    return session.scalar(asked)


def fail_whole(
    session: Session, claim: Claim, *, worker: str, error: str, inputs: dict[str, Any]
) -> Item:
    """Count a failed attempt of the whole step; return the item that represents it."""
    whole = find_whole(session, claim)
    if whole is None:
        whole = Item(step_id=claim.step_id, subject_id=WHOLE_STEP, attempts=0)
        session.add(whole)
    whole.attempts += 1
    whole.state, whole.worker, whole.error, whole.inputs = ItemState.READY, worker, error, inputs
    return whole


def start_untried(session: Session, claim: Claim, *, most: int, worker: str) -> list[OpenItem]:
    """Count an attempt of untried items before their work starts, so that crashes count."""
    asked = {"of_step": claim.step_id, "most": most, "tried_by": worker}
    started = session.connection().execute(START_UNTRIED, asked)
    return sorted(OpenItem(*row) for row in started)


def start_item(session: Session, item_id: int, *, worker: str) -> OpenItem:
    """Count an attempt of one item, like `start_untried`."""
    asked = {"of_item": item_id, "tried_by": worker}
    return OpenItem(*session.connection().execute(START_ONE, asked).one())


def put_back_items(session: Session, item_ids: Sequence[int]) -> None:
    """Uncount an attempt that was interrupted through no fault of the items."""
    session.execute(
        update(Item)
        .where(Item.id.in_(item_ids), Item.attempts > 0)
        .values(attempts=Item.attempts - 1)
        .execution_options(synchronize_session=False)
    )


def settle_items(  # noqa: PLR0913  # an outcome has five parts
    session: Session,
    claim: Claim,
    item_ids: Sequence[int],
    state: ItemState,
    *,
    error: str | None = None,
    inputs: dict[str, Any] | None = None,
    duration_s: float | None = None,
    gpu_peak_bytes: int | None = None,
) -> None:
    """Set the state of items of a step with their cost, or with their error and inputs."""
    session.connection().execute(
        SETTLE,
        {
            "of_step": claim.step_id,
            "ids": item_ids,
            "reached": state,
            "why": error,
            "given": inputs,
            "took_s": duration_s,
            "gpu_peak": gpu_peak_bytes,
        },
    )
