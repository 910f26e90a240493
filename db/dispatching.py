"""Selection of batches to queue: admission by priority, the window of each queue, and the sweep.

A batch in flight belongs to the queue of its current step; its message was sent, or it is held
back. One that waits for the answer to its run's preview is in no queue. Only one dispatcher at a
time decides: each calls `take_turn` first. It waits for no row: one that another transaction
changes now is left for the next tick, so a dispatcher is in no deadlock.
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
from chatgenimage.db.clock import Clock
from chatgenimage.db.delivery_statements import IS_RELEASED, IS_WORKABLE
from chatgenimage.db.models import Batch, Label, Run, Step
from chatgenimage.db.states import BatchState, RunState, StepState

PlanSteps = Callable[[Batch], Sequence[dict[str, Any]]]

TURN = 0x666163746F7279
"""Id of the dispatchers' lock among the database's advisory locks."""
AHEAD_S = 1.0
"""A message from the future was sent before the database server's clock was set back."""
TOLD_LENGTH = 40
"""Longest label, in characters, in the text of a message that people see."""


class DueBatch(NamedTuple):
    """A batch whose message must be sent now.

    Attributes:
        batch_id: Id of the batch.
        names: Names of its unfinished steps, in order.
        descriptions: A description of each of these steps for people.
    """

    batch_id: int
    names: list[str]
    descriptions: list[str]


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


# Built once, like the statements of db/delivery.py.
_next_step = (
    select()
    .where(_other.batch_id == bindparam("of_batch"), _other.state != StepState.DONE)
    .order_by(_other.position)
    .limit(1)
)
_next_queue = _next_step.add_columns(_other.queue).scalar_subquery()
_next_round = _next_step.add_columns(_other.round).scalar_subquery()
_others_there = (
    in_flight(func.count())
    .where(Run.state == RunState.ACTIVE, Batch.id != bindparam("of_batch"))
    .where(Step.queue == _next_queue, IS_RELEASED)
    .correlate(None)
    .scalar_subquery()
)
HAND_ON = (
    update(Batch)
    .where(Batch.id == bindparam("of_batch"))
    .values(
        state=case((_next_queue.is_(None), BatchState.DONE), else_=Batch.state),
        rung_at=case(
            (and_(Batch.is_held.is_(True), _next_round > 0), None),
            (_others_there < bindparam("window"), Clock()),
        ),
    )
    .returning(Batch.rung_at)
)
RUNG = (
    in_flight(
        Batch.id,
        Step.queue,
        or_(
            Batch.rung_at < Clock() - bindparam("stale_s", type_=Float),
            Batch.rung_at > Clock() + AHEAD_S,
        ).label("stale"),
    )
    .where(Batch.rung_at.is_not(None), Step.state == StepState.READY)
    .order_by(Batch.rung_at, Batch.id)
)
IN_QUEUES = in_flight(Run.priority, Step.queue, Batch.rung_at).where(IS_WORKABLE, IS_RELEASED)
HELD_BACK = (
    in_flight(Batch.id, Step.queue)
    .where(Batch.rung_at.is_(None), IS_WORKABLE, IS_RELEASED)
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
_named = Batch.id.in_(bindparam("ids", expanding=True))
FREE_TO_FORGET = select(Batch.id).where(_named).with_for_update(skip_locked=True, key_share=True)
FORGET = update(Batch).where(_named).values(rung_at=None)
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
"""Condition: the previous batch of the label has done its first step. What a first step writes may
depend on the earlier batches of its label, so they must run in order to be reproducible."""
MAY_BEGIN = or_(Batch.is_held.is_(False), Batch.index == 0)
"""Condition: the answer to the run's preview is not needed; the first batch of a label is shown."""
_is_waiting = and_(Batch.state == BatchState.WAITING, MAY_BEGIN, _may_open, IS_WORKABLE)
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

    PostgreSQL uses an advisory lock for it. SQLite has one writer at a time anyway.
    """
    if session.get_bind().dialect.name != "postgresql":
        return True
    return bool(session.scalar(select(func.pg_try_advisory_xact_lock(TURN))))


def sweep(
    session: Session, *, stale_s: float, waiting: Mapping[str, int], dead_owners: Sequence[str] = ()
) -> int:
    """Mark for queuing what a dead worker held and what the broker lost; return how many batches.

    Args:
        session: An open transaction.
        stale_s: A message younger than this may still be on its way.
        waiting: Number of messages in the broker, per queue.
        dead_owners: Workers that are known to be dead; for all others the lease decides.
    """
    released = delivery.release_expired(session, dead_owners)
    return released + _forget(session, _find_forgotten(session, stale_s, waiting))


def admit(
    session: Session,
    *,
    window: int,
    queues: Sequence[str],
    plan_steps: PlanSteps,
    models_key: str | None = None,
) -> int:
    """Put waiting batches in flight while there is room; return how many.

    There is room while fewer than `window` batches are in the first queue of the chain, and fewer
    than `window` per queue are in flight in total. Runs with a lower priority are not counted, so
    they cannot block an urgent run; nor are paused runs and runs that need other models. The
    batches of a label start one after the other, because each reads the prompts of the earlier.

    Args:
        session: An open transaction.
        window: Maximum number of batches per queue.
        queues: Names of all queues; a chain starts in the first.
        plan_steps: Returns the columns of each step of a batch's chain.
        models_key: Only runs that need these models; None admits any run.
    """
    asked = {"their_models": models_key}
    urgency = session.connection().scalar(URGENCY, asked)
    if urgency is None:
        return 0
    in_queues = session.connection().execute(IN_QUEUES, asked).all()
    opening = sum(queue == queues[0] for _, queue, _ in in_queues)
    in_flight = sum(priority >= urgency for priority, _, _ in in_queues)
    room = min(window - opening, window * len(queues) - in_flight)
    if room <= 0:
        return 0
    batches = session.scalars(WAITING, {"urgency": urgency, "room": room, **asked}).all()
    for batch in batches:
        batch.state, batch.rung_at = BatchState.IN_FLIGHT, None
        session.connection().execute(insert(Step), plan_steps(batch))
    return len(batches)


def take_due(session: Session, *, window: int, models_key: str | None = None) -> list[DueBatch]:
    """Return the batches whose message must be sent now.

    No queue gets more than `window`; urgent runs come first, then the oldest batches. The caller
    sends the messages after the commit; the sweep repeats messages that get lost.
    """
    session.flush()
    connection, asked = session.connection(), {"their_models": models_key}
    held_back = connection.execute(HELD_BACK, asked).all()
    if not held_back:
        return []
    in_queues = connection.execute(IN_QUEUES, asked)
    rung = Counter(queue for _, queue, rung_at in in_queues if rung_at is not None)
    due = []
    for batch_id, queue in held_back:
        if rung[queue] < window:
            rung[queue] += 1
            connection.execute(RING, {"of_batch": batch_id})
            due.append(_chain_left(connection, batch_id))
    return due


def hand_on(session: Session, batch_id: int, *, window: int) -> bool:
    """Return whether the chain continues by itself; call after `finish_step`.

    False if the queue of the next step is full: the chain ends here, and the dispatcher queues the
    batch later, in order of priority. False too after the first images of a previewed run. After
    its last step the batch is done.
    """
    asked = {"of_batch": batch_id, "window": window}
    return session.connection().scalar(HAND_ON, asked) is not None


def _find_forgotten(session: Session, stale_s: float, waiting: Mapping[str, int]) -> list[int]:
    """Return as many batches as the broker lacks messages, those queued longest ago first.

    Comparing counts avoids repeated messages for a queue that is only long. A wrong guess costs
    one message that finds no work; the count then leads to the right batch.
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


def _forget(session: Session, batch_ids: Sequence[int]) -> int:
    """Mark batches as not queued, except those that are locked now; return how many."""
    if not batch_ids:
        return 0
    ids = session.connection().scalars(FREE_TO_FORGET, {"ids": batch_ids}).all()
    session.connection().execute(FORGET, {"ids": ids})
    return len(ids)


def _chain_left(connection: Connection, batch_id: int) -> DueBatch:
    rows = connection.execute(CHAIN_LEFT, {"of_batch": batch_id}).all()
    descriptions = [_in_words(label, *numbers) for _, *numbers, label in rows]
    return DueBatch(batch_id, [name for name, *_ in rows], descriptions)


def _in_words(label: str, number: int, run_id: int, index: int) -> str:
    short = label if len(label) <= TOLD_LENGTH else f"{label[: TOLD_LENGTH - 1]}…"
    return f"run {run_id} · {short} · batch {index} · round {number}"
