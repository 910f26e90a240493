"""`factory pause`, `cancel`, `resume` and `retry`: the states they change, and what they refuse."""

import pytest
from sqlalchemy import select

from chatgenimage.db.models import Item, Run, Step
from chatgenimage.db.states import RunState
from tests import rows
from tests.factory.answers import answered, refused
from tests.terminal import show_on_terminal


def state_of(place):
    with place.sessions() as session:
        return session.get_one(Run, 1).state


def test_cancel_without_a_terminal_says_what_to_type(factory, filled_place):
    told = refused(factory("cancel", 1))
    folder = filled_place.data_dir
    assert "2 of 2 batches are not done" in told
    assert f"`factory cancel 1 --yes --data-dir {folder}`" in told
    assert f"`factory pause 1 --data-dir {folder}`" in told
    assert state_of(filled_place) == RunState.ACTIVE


def test_a_cancelled_run_is_neither_paused_nor_resumed_nor_retried(factory, filled_place):
    assert "run 1 is cancelled" in answered(factory("cancel", 1, "--yes"))
    assert "run 1 is cancelled and cannot be paused" in refused(factory("pause", 1))
    assert "run 1 is cancelled and cannot be resumed" in refused(factory("resume", 1))
    assert "run 1 is cancelled; nothing of it is retried" in refused(factory("retry"))
    assert "no item was given up" in answered(factory("retry", "--all"))
    assert "run 1 is cancelled" in answered(factory("cancel", 1))
    assert state_of(filled_place) == RunState.CANCELLED
    assert "0/2 batches done, 2 cancelled" in answered(factory("status"))


def test_a_run_that_waits_for_the_answer_to_its_preview(factory, filled_place):
    with filled_place.sessions.begin() as session:
        run = session.get_one(Run, 1)
        for batch in rows.batches_of(session, run):
            batch.is_held = True
            rows.add_steps(session, batch, rows.SCENE_CHAIN, done=len(rows.CHAIN))
        run.state = RunState.PAUSED
    ready = "the preview is ready and waits for an answer: `factory resume 1 --data-dir "
    told = answered(factory("pause", 1)).splitlines()
    assert told[0] == "run 1 is already paused"
    assert told[1].startswith(ready)
    told = answered(factory("retry", 1)).splitlines()
    assert told[0] == "no item was given up there"
    assert told[1].startswith(ready)
    answered(factory("report", 1))
    assert ready in (filled_place.data_dir / "run-1-report.html").read_text()
    with filled_place.sessions.begin() as session:
        step = session.scalars(select(Step).order_by(Step.id)).first()
        session.add(Item(step_id=step.id, subject_id=1, state="quarantined", error="broken"))
    [told] = answered(factory("retry", 1)).splitlines()
    assert "1 item of run 1 will be tried again: the same command with --preview does it" in told
    assert "also makes what waits for the answer" in told


@pytest.mark.parametrize("command", ["pause", "cancel"])
def test_a_run_that_is_done_stays_done(factory, filled_place, command):
    with filled_place.sessions.begin() as session:
        session.get_one(Run, 1).state = RunState.DONE
    assert "run 1 is done" in refused(factory(command, 1))
    assert state_of(filled_place) == RunState.DONE


@pytest.mark.processes
@pytest.mark.parametrize(
    ("typed", "code", "state"), [("n\n", 1, RunState.ACTIVE), ("y\n", 0, RunState.CANCELLED)]
)
def test_on_a_terminal_cancel_asks(filled_place, typed, code, state):
    words = ("cancel", "1", "--data-dir", filled_place.data_dir)
    found, shown = show_on_terminal(*words, typed=typed)
    assert "Cancel run 1 for good?" in shown
    assert (found, state_of(filled_place)) == (code, state)
