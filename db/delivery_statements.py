"""SQL statements of claims and leases, built once.

Building a statement takes longer than running it, and so does the session's search for changes:
`chatgenimage.db.delivery` runs them on the session's connection.
"""

from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Float,
    String,
    and_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.orm import aliased, joinedload

from chatgenimage.db.clock import Clock
from chatgenimage.db.models import Batch, Item, Run, Step
from chatgenimage.db.states import WHOLE_STEP, ItemState, RunState, StepState

FREE: dict[str, Any] = {"state": StepState.READY, "token": None, "lease_until": None}
"""Column values of a step that no worker holds."""


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
IS_WORKABLE = and_(
    Run.state == RunState.ACTIVE,
    func.coalesce(bindparam("their_models", type_=String), Run.models_key) == Run.models_key,
)
"""Condition on a run: workers with these models may work on it; NULL means any models."""
IS_RELEASED = or_(Batch.is_held.is_(False), Step.round == 0)
"""Condition on a batch and its step: it need not wait for the answer to its run's preview."""
_run_is_open = (
    select(Run.id)
    .join(Batch, Batch.run_id == Run.id)
    .where(Batch.id == Step.batch_id, IS_WORKABLE, IS_RELEASED)
    .exists()
)
# As text: in RETURNING on SQLite, SQLAlchemy omits the table names, inside a subquery too.
_may_continue = literal_column(
    "NOT step.stop_requested AND EXISTS "  # noqa: S608  # contains no user input
    "(SELECT 1 FROM batch JOIN run ON run.id = batch.run_id"
    f" WHERE batch.id = step.batch_id AND run.state = '{RunState.ACTIVE}')",
    Boolean,
)
_open_items = select(Item.id).where(
    Item.step_id == Step.id, Item.state == ItemState.READY, Item.subject_id != WHOLE_STEP
)
_others_open = _open_items.where(Item.id.not_in(bindparam("ids", expanding=True)))
_is_held = and_(
    Step.id == bindparam("held_step"),
    Step.token == bindparam("held_token"),
    Step.state == StepState.RUNNING,
)

CLAIM = (
    update(Step)
    .where(Step.id == _first_unfinished, Step.name == bindparam("called"), _is_free, _run_is_open)
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
)
HELD = (
    select(Step)
    .options(joinedload(Step.batch).options(joinedload(Batch.run), joinedload(Batch.label)))
    .where(Step.id == bindparam("held_step"))
)
FENCE = (
    update(Step)
    .where(_is_held)
    .values(lease_until=Clock() + bindparam("lease_s", type_=Float))
    .returning(_may_continue)
)
MAY_CONTINUE = (
    select(_may_continue)
    .select_from(Step)
    .where(Step.id == bindparam("held_step"), Step.token == bindparam("held_token"))
)
_finish = update(Step).values(
    FREE | {"state": StepState.DONE, "finished_at": Clock(), "error": None}
)
FINISH = _finish.where(Step.id == bindparam("held_step"), ~_open_items.exists())
FINISH_WITH = _finish.where(_is_held, _may_continue, ~_others_open.exists())
POSTPONE = (
    update(Step)
    .where(Step.id == _first_unfinished, Step.state == StepState.READY)
    .values(run_after=Clock() + bindparam("delay_s", type_=Float))
)
OWNERS = select(Step.owner).where(Step.state == StepState.RUNNING).distinct()
IS_DEAD = or_(Step.lease_until < Clock(), Step.owner.in_(bindparam("dead", expanding=True)))
EXPIRED = (
    select(Step.id, Step.batch_id)
    .join(Batch, Batch.id == Step.batch_id)
    .where(Step.state == StepState.RUNNING, IS_DEAD)
    .with_for_update(skip_locked=True, key_share=True, of=(Step, Batch))
)
"""Steps of dead workers, locked with their batches. Rows that another transaction changes now are
left out, so that a sweep waits for none."""
