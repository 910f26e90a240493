"""Notifications about the end of a run: real commands, a real server, processes that die."""

import json
import os
import shlex
import subprocess
import sys
import time
from contextlib import ExitStack

import psutil
import pytest
from sqlalchemy import select, update

from chatgenimage.db import control
from chatgenimage.db.models import Batch, Notification, Run
from chatgenimage.db.notifications import MAX_ATTEMPTS, NEWS_S
from chatgenimage.db.spending import spend
from chatgenimage.db.states import BatchState, RunEvent, RunState
from chatgenimage.factory.processes import finalize_run
from tests import rows
from tests.factory.notifications.ended_runs import PATIENCE_S, end_run, let_time_pass, notifier_of


def script(folder, text):
    """Write a shell script; return the words of the command that runs it."""
    path = folder / "told.sh"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return [str(path)]


def events_of(place):
    with place.sessions() as session:
        found = select(Notification.run_id, Notification.event, Notification.channel)
        return [tuple(row) for row in session.execute(found.order_by(Notification.id))]


@pytest.mark.processes
def test_a_command_is_run_once_with_the_results(place, ended, tmp_path):
    told = tmp_path / "told"
    command = script(tmp_path, f'echo "$RUN_ID $RUN_EVENT" >> {told}; cat >> {told}')
    notifier = notifier_of(place, notify_command=command)
    assert notifier.send_next()
    assert not notifier.send_next()
    assert not notifier_of(place, notify_command=command).send_next()
    head, body = told.read_text().splitlines()
    assert head == f"{ended} done"
    record = json.loads(body)
    assert record["text"] == f"Run {ended} is done: 3 of 4 images accepted, 1 given up"
    assert (record["candidates"], record["accepted"], record["rejected"]) == (4, 3, 1)
    assert (record["quarantined"], record["cost"], record["labels"]) == (1, 0.25, 1)
    assert record["state"] == "done"


@pytest.mark.processes
def test_concurrent_notifiers_send_each_notification_once(place, tmp_path):
    run_ids = [end_run(place) for _ in range(5)]
    told = tmp_path / "told"
    command = script(tmp_path, f'echo "$RUN_ID" >> {told}')
    with ExitStack() as tellers:
        for _ in range(4):
            tellers.enter_context(notifier_of(place, notify_command=command).start())
        deadline = time.monotonic() + PATIENCE_S
        while len(told.read_text().split() if told.exists() else []) < len(run_ids):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert sorted(told.read_text().split()) == [*map(str, run_ids)]


def test_what_happens_to_a_run_is_noted_and_what_a_person_sees_anyway_is_not(place):
    with place.sessions.begin() as session:
        spender, cancelled = rows.add_run(session, budget=1.0), rows.add_run(session)
        control.set_run_state(session, cancelled, RunState.PAUSED)
    assert events_of(place) == []
    with place.sessions.begin() as session:
        cancelled = session.get_one(Run, cancelled.id)
        control.set_run_state(session, cancelled, RunState.CANCELLED)
        control.set_run_state(session, cancelled, RunState.CANCELLED)
        for _ in range(3):
            spend(session, spender.id, 0.6)
    both = ("command", "webhook")
    assert events_of(place) == [
        *((cancelled.id, RunEvent.CANCELLED, channel) for channel in both),
        *((spender.id, RunEvent.BUDGET_SPENT, channel) for channel in both),
    ]


def test_a_run_that_ends_again_sends_another_notification(place, ended):
    with place.sessions.begin() as session:
        assert control.retry_quarantined(session, ended)
        session.execute(update(Batch).values(state=BatchState.DONE))
    assert finalize_run.finish_run(place.sessions, ended)
    assert [event for _, event, channel in events_of(place) if channel == "command"] == ["done"] * 2


@pytest.mark.processes
@pytest.mark.parametrize(
    ("command", "why"),
    [
        (["false"], "false ended with exit code 1"),
        (["sh", "-c", "echo no room; exit 3"], "sh ended with exit code 3: no room"),
        (["/nowhere/to-be-found"], "cannot be run: No such file"),
    ],
)
def test_a_command_that_fails_is_tried_again_and_given_up(place, ended, command, why):
    notifier = notifier_of(place, notify_command=command)
    for _ in range(MAX_ATTEMPTS):
        assert notifier.send_next()
        assert not notifier.send_next()  # not immediately
        let_time_pass(place)
    assert not notifier.send_next()
    with place.sessions() as session:
        kept = session.scalars(select(Notification).where(Notification.channel == "command")).one()
        assert why in kept.error
        assert kept.told_at is None
        assert session.get_one(Run, ended).state == RunState.DONE


@pytest.mark.processes
def test_a_command_that_hangs_is_killed_with_what_it_started(sqlite_place, tmp_path):
    end_run(sqlite_place)
    child = tmp_path / "child"
    command = script(tmp_path, f"sleep 1000 & echo $! > {child}.new; mv {child}.new {child}; wait")
    started = time.monotonic()
    notifier = notifier_of(sqlite_place, notify_command=command, notify_timeout_s=3.0)
    assert notifier.send_next()
    while not child.exists():  # a busy machine killed the command before it had begun
        let_time_pass(sqlite_place)
        assert notifier.send_next()
    assert time.monotonic() - started < PATIENCE_S
    deadline = time.monotonic() + PATIENCE_S
    while is_alive(int(child.read_text())):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.processes
def test_a_notification_claimed_by_a_dead_process_is_sent_by_another(sqlite_place, tmp_path):
    end_run(sqlite_place)
    told = tmp_path / "told"
    fatal = script(tmp_path, "kill -9 $PPID")
    tell = (
        "from chatgenimage.factory.notifications.notifier import Notifier\n"
        "from chatgenimage.db.session import connect\n"
        "from chatgenimage.factory.settings.model import load_settings\n"
        "settings = load_settings()\n"
        "Notifier(settings, connect(settings.resolved_database_url())).send_next()"
    )
    environment = {
        "FACTORY_DATA_DIR": str(sqlite_place.data_dir),
        "FACTORY_NOTIFY_COMMAND": json.dumps(fatal),
    }
    done = subprocess.run(
        [sys.executable, "-c", tell], env=os.environ | environment, check=False, timeout=PATIENCE_S
    )
    assert done.returncode == -9
    notifier = notifier_of(sqlite_place, notify_command=["tee", str(told)])
    assert not notifier.send_next()  # still claimed
    let_time_pass(sqlite_place)
    assert notifier.send_next()
    assert json.loads(told.read_text())["event"] == "done"


@pytest.mark.processes
def test_a_notify_command_may_be_a_factory_command(sqlite_place, tmp_path):
    """Variables that are set for the command must not act as settings."""
    run_id = end_run(sqlite_place)
    shown = tmp_path / "shown"
    factory = shlex.join([sys.executable, "-m", "chatgenimage"])
    place = shlex.quote(str(sqlite_place.data_dir))
    command = script(tmp_path, f'{factory} status "$RUN_ID" --json --data-dir {place} > {shown}')
    notifier_of(sqlite_place, notify_command=command).finish(run_id)
    assert json.loads(shown.read_text())["run"] == run_id


HERE = """
import sys
from chatgenimage.db.session import connect
from chatgenimage.factory.errors import BudgetSpent, CannotWrite
from chatgenimage.factory.notifications.notifier import notifying
from chatgenimage.factory.settings.model import load_settings
settings = load_settings()
sessions = connect(settings.resolved_database_url())
try:
    with notifying(settings, sessions, int(sys.argv[1])):
        errors = {"stopped": KeyboardInterrupt, "paused": BudgetSpent, "no sheet": CannotWrite}
        raise errors[sys.argv[2]]
except (KeyboardInterrupt, BudgetSpent, CannotWrite):
    pass
"""


@pytest.mark.processes
@pytest.mark.parametrize(
    ("how", "is_sent"), [("stopped", False), ("paused", True), ("no sheet", True)]
)
def test_run_notifies_after_its_own_errors_but_not_after_ctrl_c(
    sqlite_place, tmp_path, how, is_sent
):
    with sqlite_place.sessions.begin() as session:
        run = rows.add_run(session, budget=1.0)
        spend(session, run.id, 2.0)
    told = tmp_path / "told"
    done = subprocess.run(
        [sys.executable, "-c", HERE, str(run.id), how],
        env=os.environ
        | {
            "FACTORY_DATA_DIR": str(sqlite_place.data_dir),
            "FACTORY_NOTIFY_COMMAND": json.dumps(["tee", str(told)]),
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )
    assert done.stdout + done.stderr == ""  # notifications are not shown to the user
    assert told.exists() == is_sent
    if is_sent:
        record = json.loads(told.read_text())
        assert (record["event"], record["state"], record["cost"]) == ("budget_spent", "paused", 2.0)


def test_a_new_channel_gets_no_old_notifications(sqlite_place):
    end_run(sqlite_place)
    with sqlite_place.sessions.begin() as session:
        session.execute(update(Notification).values(created_at=time.time() - NEWS_S - 1))
    assert not notifier_of(sqlite_place, notify_command=["true"]).send_next()
