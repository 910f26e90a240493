"""Transactions of a worker that PostgreSQL ends in favour of another one."""

import contextlib
import dataclasses
import re

import pytest
from sqlalchemy import event, text

from chatgenimage.db.session import engine_of
from chatgenimage.db.states import ItemState, StepState
from chatgenimage.tasks.step import CONFLICT, ChainEnds, run_step
from tests.tasks.toy import SUBJECTS, Toy, first_step, items_of

CHANGED = re.compile(r"(?:UPDATE|DELETE FROM) (\w+)")
DEADLOCK = text(
    "DO $$ BEGIN RAISE EXCEPTION 'deadlock detected' USING ERRCODE = 'deadlock_detected'; END $$"
)


@pytest.fixture
def place(postgres_place):
    """A migrated PostgreSQL database: SQLite has one writer at a time."""
    return postgres_place


@pytest.fixture
def changed(place):
    """Tables whose rows the transactions change: a list for each transaction, in order."""
    found = []
    engine = engine_of(place.sessions)

    @event.listens_for(engine, "begin")
    def _begin(connection):
        connection.info["changed"] = tables = []
        found.append(tables)

    @event.listens_for(engine, "before_cursor_execute")
    def _note(connection, _cursor, statement, *_):
        if changes := CHANGED.match(statement):
            connection.info["changed"].append(changes[1])

    yield found
    event.remove(engine, "begin", _begin)
    event.remove(engine, "before_cursor_execute", _note)


def ended_once(call):
    """Return a part of a step whose first transaction the server ends."""
    calls = []

    def meet(session, *rest):
        calls.append(session)
        if len(calls) == 1:
            session.execute(DEADLOCK)
        return call(session, *rest)

    return meet


def test_a_claim_that_the_server_ends_is_not_reported_as_a_database_that_is_away(place, toy_batch):
    toy = Toy()
    work = dataclasses.replace(toy.work, plan=ended_once(toy.work.plan))
    with pytest.raises(ChainEnds, match=CONFLICT):
        run_step(work, toy_batch)
    step = first_step(place)
    assert (step.state, step.attempts) == (StepState.READY, 0)
    run_step(work, toy_batch)
    assert toy.passes == [list(SUBJECTS)]


def test_a_pass_whose_transaction_the_server_ends_is_written_once_and_costs_no_attempt(
    place, toy_batch
):
    toy = Toy()
    work = dataclasses.replace(toy.work, write=ended_once(toy.work.write))
    with pytest.raises(ChainEnds):
        run_step(work, toy_batch)
    assert "deadlock detected" in first_step(place).error
    run_step(work, toy_batch)
    assert first_step(place).state == StepState.DONE
    assert {(item.state, item.attempts) for item in items_of(place).values()} == {
        (ItemState.DONE, 1)
    }


@pytest.mark.parametrize("unwritable", [(), (2,)])
def test_a_transaction_locks_its_step_first_and_its_batch_last(
    place, toy_batch, changed, unwritable
):
    toy = Toy()
    toy.unwritable = set(unwritable)
    changed.clear()
    while first_step(place).state != StepState.DONE:
        with contextlib.suppress(ChainEnds):
            run_step(toy.work, toy_batch)
    writes = [tables for tables in changed if tables]
    assert {tables[0] for tables in writes} == {"step"}
    with_batch = [tables for tables in writes if "batch" in tables]
    assert with_batch
    assert {tables.index("batch") - len(tables) for tables in with_batch} == {-1}
