"""Which batches should be rung for: admission by priority, the window of each queue, the sweep.

A batch in flight stands in the queue of its current step, rung for or held back. Whatever decides
here takes its turn first: one dispatcher at a time, however many there are.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Float,
    Select,
    and_,
    bindparam,
    case,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session, aliased, contains_eager, joinedload

from chatgenimage.db import delivery
from chatgenimage.db.delivery import IS_WORKABLE
from chatgenimage.db.models import Batch, Label, Run, Step
from chatgenimage.db.session import Clock
from chatgenimage.db.states import BatchState, RunState, StepState

PlanSteps = Callable[[Batch], Sequence[dict[str, Any]]]

TURN = 0x666163746F7279
"""Names the dispatchers' lock among the database's advisory locks."""
TOLD_LENGTH = 40
"""Of a label, in what a message says to people."""


class Due(NamedTuple):
    """A batch to ring for.

    Attributes:
        batch_id: Which.
        names: Of its unfinished steps, in order.
        told: What a person would call the work of each.
    """

    batch_id: int
    names: list[str]
    told: list[str]


_other = aliased(Step)
_current_position = (
    select(func.min(_other.position))
    .where(_other.batch_id == Batch.id, _other.state != StepState.DONE)
    .correlate(Batch)
    .scalar_subquery()
)


def in_flight(*columns: Any) -> Select[Any]:  # noqa: ANN401  # as select() takes them
    """Return a query over the batches in flight, each with its run and its current step."""
    return (
        select(*columns)
        .select_from(Batch)
        .join(Step, and_(Step.batch_id == Batch.id, Step.position == _current_position))
        .join(Run, Run.id == Batch.run_id)
        .where(Batch.state == BatchState.IN_FLIGHT)
    )


# Built once, as the statements of db/delivery.py.
_next_queue = (
    select(_other.queue)
    .where(_other.batch_id == bindparam("of_batch"), _other.state != StepState.DONE)
    .order_by(_other.position)
    .limit(1)
    .scalar_subquery()
)
_others_there = (
    in_flight(func.count())
    .where(Run.state == RunState.ACTIVE, Batch.id != bindparam("of_batch"))
    .where(Step.queue == _next_queue)
    .correlate(None)
    .scalar_subquery()
)
HAND_ON = (
    update(Batch)
    .where(Batch.id == bindparam("of_batch"))
    .values(
        state=case((_next_queue.is_(None), BatchState.DONE), else_=Batch.state),
        rung_at=case((_others_there < bindparam("window"), Clock())),
    )
    .returning(Batch.rung_at)
)
RUNG = (
    in_flight(
        Batch.id,
        Step.queue,
        (Batch.rung_at < Clock() - bindparam("stale_s", type_=Float)).label("stale"),
    )
    .where(Batch.rung_at.is_not(None), Step.state == StepState.READY)
    .order_by(Batch.rung_at, Batch.id)
)
STANDING = in_flight(Run.priority, Step.queue, Batch.rung_at).where(IS_WORKABLE)
HELD_BACK = (
    in_flight(Batch.id, Step.queue)
    .where(Batch.rung_at.is_(None), IS_WORKABLE)
    .where(Step.state == StepState.READY, Step.run_after <= Clock())
    .order_by(Run.priority.desc(), Batch.priority.desc(), Batch.id)
    .with_for_update(skip_locked=True, of=Batch)
)
CHAIN_LEFT = (
    select(Step.name, Step.round, Batch.run_id, Batch.index, Label.name)
    .join(Batch, Batch.id == Step.batch_id)
    .join(Label, Label.id == Batch.label_id)
    .where(Step.batch_id == bindparam("of_batch"), Step.state != StepState.DONE)
    .order_by(Step.position)
)
RING = update(Batch).where(Batch.id == bindparam("of_batch")).values(rung_at=Clock())
FORGET = update(Batch).where(Batch.id == bindparam("of_batch")).values(rung_at=None)
_before, _opening = aliased(Batch), aliased(Step)
_may_open = or_(
    Batch.index == 0,
    select(_before.id)
    .where(_before.label_id == Batch.label_id, _before.index == Batch.index - 1)
    .where(
        or_(
            _before.state == BatchState.DONE,
            select(_opening.id)
            .where(_opening.batch_id == _before.id, _opening.position == 0)
            .where(_opening.state == StepState.DONE)
            .exists(),
        )
    )
    .exists(),
)
"""Whether the batch before it in its label has done its first step: what the first step of a batch
writes may then depend on what those of earlier ones wrote, and on nobody's speed."""
_is_waiting = and_(Batch.state == BatchState.WAITING, _may_open, IS_WORKABLE)
URGENCY = select(func.max(Run.priority)).where(
    select(Batch.id).where(Batch.run_id == Run.id, _is_waiting).exists()
)
WAITING = (
    select(Batch)
    .join(Batch.run)
    .options(contains_eager(Batch.run), joinedload(Batch.label, innerjoin=True))
    .where(_is_waiting, Run.priority == bindparam("urgency"))
    .order_by(Batch.priority.desc(), Batch.index, Batch.id)
    .limit(bindparam("room"))
    .with_for_update(skip_locked=True, of=Batch)
)


def take_turn(session: Session) -> bool:
    """Return whether this dispatcher may decide now; its turn ends with the transaction.

    PostgreSQL keeps a lock for it. SQLite has one writer at a time anyway.
    """
    if session.get_bind().dialect.name != "postgresql":
        return True
    return bool(session.scalar(select(func.pg_try_advisory_xact_lock(TURN))))


def sweep(
    session: Session, *, stale_s: float, waiting: Mapping[str, int], dead_owners: Sequence[str] = ()
) -> int:
    """Mark what a dead worker held and what the broker forgot; return how many batches.

    Args:
        session: An open transaction.
        stale_s: A doorbell younger than this may still be on its way.
        waiting: How many doorbells the broker holds, per queue.
        dead_owners: Workers that are known to be gone; for others the lease decides.
    """
    released = delivery.release_expired(session, dead_owners)
    forgotten = _find_forgotten(session, stale_s, waiting)
    for batch_id in forgotten:
        session.connection().execute(FORGET, {"of_batch": batch_id})
    return released + len(forgotten)


def admit(
    session: Session,
    *,
    window: int,
    queues: Sequence[str],
    plan_steps: PlanSteps,
    models_key: str | None = None,
) -> int:
    """Put waiting batches in flight while there is room; return how many.

    There is room while fewer than `window` batches stand in the opening queue, and fewer than
    `window` per queue are in flight at all, not counting runs of less priority: those must not keep
    a more urgent one waiting. Paused runs take no room either, nor do runs of other models. The
    batches of a label open one after the other: each looks at what the earlier ones were given.

    Args:
        session: An open transaction.
        window: Most batches per queue.
        queues: Every queue; a chain opens in the first.
        plan_steps: Returns the columns of each step of a batch's chain.
        models_key: Only runs that ask for these models; None takes runs of any.
    """
    asked = {"their_models": models_key}
    urgency = session.connection().scalar(URGENCY, asked)
    if urgency is None:
        return 0
    standing = session.connection().execute(STANDING, asked).all()
    opening = sum(queue == queues[0] for _, queue, _ in standing)
    in_flight = sum(priority >= urgency for priority, _, _ in standing)
    room = min(window - opening, window * len(queues) - in_flight)
    if room <= 0:
        return 0
    batches = session.scalars(WAITING, {"urgency": urgency, "room": room, **asked}).all()
    for batch in batches:
        batch.state, batch.rung_at = BatchState.IN_FLIGHT, None
        session.connection().execute(insert(Step), plan_steps(batch))
    return len(batches)


def take_due(session: Session, *, window: int, models_key: str | None = None) -> list[Due]:
    """Return the batches to ring for.

    No queue gets more than `window`; the most urgent run comes first, then the oldest batch.
    Whoever takes them must ring after the commit; a ring that is lost is repeated by the sweep.
    """
    session.flush()
    connection, asked = session.connection(), {"their_models": models_key}
    held_back = connection.execute(HELD_BACK, asked).all()
    if not held_back:
        return []
    standing = connection.execute(STANDING, asked)
    rung = Counter(queue for _, queue, rung_at in standing if rung_at is not None)
    due = []
    for batch_id, queue in held_back:
        if rung[queue] < window:
            rung[queue] += 1
            connection.execute(RING, {"of_batch": batch_id})
            due.append(_chain_left(connection, batch_id))
    return due


def hand_on(session: Session, batch_id: int, *, window: int) -> bool:
    """Return whether the chain goes on by itself; call after `finish_step`.

    False when as many stand in the queue of the batch's next step already: then the dispatcher
    rings, in order of priority, and the chain must end here. After its last step a batch is done.
    """
    asked = {"of_batch": batch_id, "window": window}
    return session.connection().scalar(HAND_ON, asked) is not None


def _find_forgotten(session: Session, stale_s: float, waiting: Mapping[str, int]) -> list[int]:
    """Return as many batches as the broker lacks doorbells, those rung for longest ago.

    Comparing counts repeats nothing only because a queue is long. A wrong guess sends a message
    that finds nothing to do; the count then tells of the right one.
    """
    rung = session.connection().execute(RUNG, {"stale_s": stale_s}).all()
    missing = Counter(queue for _, queue, _ in rung)
    missing.subtract(waiting)
    forgotten = []
    for batch_id, queue, is_stale in rung:
        if is_stale and missing[queue] > 0:
            missing[queue] -= 1
            forgotten.append(batch_id)
    return forgotten


def _chain_left(connection: Connection, batch_id: int) -> Due:
    rows = connection.execute(CHAIN_LEFT, {"of_batch": batch_id}).all()
    told = [_tell(label, *numbers) for _, *numbers, label in rows]
    return Due(batch_id, [name for name, *_ in rows], told)


def _tell(label: str, number: int, run_id: int, index: int) -> str:
    short = label if len(label) <= TOLD_LENGTH else f"{label[: TOLD_LENGTH - 1]}…"
    return f"run {run_id} · {short} · batch {index} · round {number}"
