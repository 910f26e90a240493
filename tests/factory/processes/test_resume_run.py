"""`factory resume` and `factory retry` after an interruption."""

import pytest
from sqlalchemy import select, update
from typer.testing import CliRunner

from chatgenimage.db import delivery
from chatgenimage.db.clock import now
from chatgenimage.db.models import Batch, Item, Run, Step
from chatgenimage.db.states import WHOLE_STEP, ItemState, RunState, StepState
from chatgenimage.factory.cli import app
from chatgenimage.factory.commands import PlaceChoice, spell
from chatgenimage.factory.processes.worker_identity import name_owner
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.settings.run_profile import models_key
from tests import rows

GONE = 2**22 + 1


@pytest.fixture
def run_id(place):
    """A run with two batches in flight: one held by a dead worker, one delayed for an hour."""
    key = models_key(load_settings("micro"))
    with place.sessions.begin() as session:
        run = rows.add_run(session, batches=2, models_key=key)
        held, waiting = session.scalars(select(Batch).order_by(Batch.id)).all()
        for batch in (held, waiting):
            rows.add_steps(session, batch)
            batch.rung_at = 1.0
        delivery.claim_step(session, held.id, "brainstorm", owner=_dead_owner(), lease_s=900)
        rows.current_step(session, waiting.id).run_after = now(session) + 3600
        return run.id


def _dead_owner():
    return f"{name_owner('all', is_child=False).partition('#')[0]}#{GONE}"


@pytest.fixture
def factory(place):
    def call(*words):
        return CliRunner().invoke(app, [*map(str, words), "--data-dir", str(place.data_dir)])

    return call


def test_held_and_waiting_batches_continue_immediately(factory, place, run_id):
    result = factory("resume", run_id, "--no-worker")
    assert result.exit_code == 0, result.output
    assert "Run 1 resumes: 2 batches are not done; 1 step does not wait any longer" in result.stderr
    assert "factory status 1" in result.stderr
    with place.sessions() as session:
        assert set(session.scalars(select(Step.state))) == {StepState.READY}
        assert set(session.scalars(select(Step.run_after))) == {0.0}
        assert set(session.scalars(select(Batch.rung_at))) == {None}


def test_a_paused_run_counts_as_the_latest_and_continues(factory, place, run_id):
    factory("pause", run_id)
    assert factory("resume", "--no-worker").exit_code == 0
    with place.sessions() as session:
        assert session.get_one(Run, run_id).state == RunState.ACTIVE


@pytest.mark.parametrize("command", [("resume", "--no-worker"), ("continue",)], ids=str)
def test_a_run_whose_budget_is_spent_resumes_with_a_larger_one(factory, place, run_id, command):
    with place.sessions.begin() as session:
        values = {"state": "paused", "pause_reason": "spent", "budget": 1.0, "spent": 2.0}
        session.execute(update(Run).values(**values))
    refused = factory(*command, run_id)
    assert refused.exit_code == 1
    assert "factory resume 1 --budget 4.00" in refused.stderr
    assert factory(*command, run_id, "--budget", 9).exit_code == 0
    with place.sessions() as session:
        run = session.get_one(Run, run_id)
        assert (run.state, run.budget, run.pause_reason) == (RunState.ACTIVE, 9.0, None)


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({"state": "done"}, "factory retry 1"),
        ({"state": "cancelled"}, "is cancelled"),
        ({"models_key": "others"}, "--profile"),
    ],
)
def test_a_run_that_cannot_go_on_is_refused_with_what_to_do(factory, place, run_id, values, part):
    with place.sessions.begin() as session:
        session.execute(update(Run).values(**values))
    result = factory("resume", run_id)
    assert result.exit_code == 2
    assert part in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_command_to_continue_repeats_the_options_without_a_password(tmp_path):
    assert spell("resume", 3, place=PlaceChoice()) == "factory resume 3"
    there = PlaceChoice("sd15", tmp_path / "a b", "postgresql+psycopg://me:hush@host/db")
    told = spell("resume", 3, place=there)
    assert told.startswith(f"factory resume 3 --profile sd15 --data-dir '{tmp_path}/a b'")
    assert "hush" not in told


def test_given_up_items_are_listed_and_retried_by_step_or_all(factory, place, run_id):
    with place.sessions.begin() as session:
        some = select(Step).where(Step.name.in_(["generate", "label"])).order_by(Step.id)
        for step in session.scalars(some):
            rows.add_item(session, step, 1, state="quarantined", error="Traceback\nBoom: no")
        rows.add_item(session, step, WHOLE_STEP, state="quarantined", error="KeyError: 'score'")
    shown = factory("status", run_id).stdout
    for part in ("Boom: no", "whole step", "KeyError: 'score'", "factory retry 1"):
        assert part in shown
    assert "3 items of run 1" in factory("retry", run_id, "--step", "label").stdout
    with place.sessions() as session:
        left = select(Step.name).join(Item).where(Item.state == ItemState.QUARANTINED)
        assert set(session.scalars(left)) == {"generate"}
    assert (
        "2 items of run 1 will be tried again: factory resume 1" in factory("retry", "--all").stdout
    )
    assert "no item was given up" in factory("retry").stdout


def test_a_run_of_a_plug_in_that_is_not_here_is_refused(factory, place, run_id):
    with place.sessions.begin() as session:
        run = session.get_one(Run, run_id)
        run.profile = {**run.profile, "plugins": {"blocks": "0.1.0"}}
    result = factory("resume", run_id, "--no-worker")
    assert result.exit_code == 2
    assert "submitted with the plug-ins blocks 0.1.0, and here are none" in result.stderr
