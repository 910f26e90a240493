"""`factory watch` on real rows: output and exit codes, on wide and narrow screens."""

import json
import os
import subprocess
import sys
import time

import pytest
from rich.console import Console
from sqlalchemy import select

from chatgenimage.db.models import Batch, Run, Step
from chatgenimage.db.session import engine_of
from chatgenimage.db.states import ItemState, RunState, StepState
from chatgenimage.factory.progress.live_view import format_duration, live_view
from chatgenimage.factory.progress.snapshot import RunMonitor
from chatgenimage.tasks.filter_rules import REASONS
from tests import rows

PATIENCE_S = 240
CUT = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE pid <> pg_backend_pid() AND datname = '{}'"""


def begin(place, labels=("dog",), **columns):
    """Add a run with one batch per label, whose first step is running."""
    with place.sessions.begin() as session:
        run = rows.add_run(session, labels, **columns)
        for batch in session.scalars(select(Batch).order_by(Batch.id)):
            step = rows.add_steps(session, batch, rows.SCENE_CHAIN)[0]
            step.state, step.owner, step.started_at = StepState.RUNNING, "language@box#1", 1.0
            rows.add_item(session, step, 1)
            rows.add_family(place, session, batch)
        return run.id


def end(place, state, reason=None):
    with place.sessions.begin() as session:
        run = session.scalars(select(Run)).one()
        run.state, run.pause_reason = state, reason


def command(*arguments):
    return [sys.executable, "-m", "chatgenimage", "watch", *arguments]


def watch(place, *arguments):
    """Run the command with only the database URL."""
    url = f"sqlite:///{place.data_dir / 'factory.sqlite3'}"
    return subprocess.run(
        command("--database-url", url, "--interval", "0.1", *arguments),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
        cwd=place.data_dir,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


@pytest.mark.processes
@pytest.mark.parametrize(
    ("state", "reason", "code"),
    [
        (RunState.DONE, None, 0),
        (RunState.CANCELLED, None, 1),
        (RunState.PAUSED, "its budget of 1.00 is spent", 1),
    ],
)
def test_watch_ends_with_the_run_and_prints_its_result(place, state, reason, code):
    begin(place)
    end(place, state, reason)
    done = watch(place)
    assert done.returncode == code, done.stderr
    assert f"run 1 is {state}" in done.stderr
    assert (reason or "") in done.stderr
    assert "3 candidates, 3 accepted, 0 rejected" in done.stderr
    assert done.stdout == ""


@pytest.mark.processes
def test_a_run_with_given_up_items_exits_with_1(place):
    begin(place)
    with place.sessions.begin() as session:
        step = session.scalars(select(Step).order_by(Step.position)).first()
        rows.add_item(session, step, 9, state=ItemState.QUARANTINED, error="Boom")
    end(place, RunState.DONE)
    done = watch(place)
    assert done.returncode == 1
    assert "1 of 2 items were given up; another try for them: `factory retry 1 --d" in done.stderr


@pytest.mark.processes
def test_json_is_an_object_per_interval_until_the_end(place, tmp_path):
    begin(place)
    url = f"sqlite:///{place.data_dir / 'factory.sqlite3'}"
    with subprocess.Popen(
        command("--json", "--interval", "0.1", "--database-url", url), stdout=subprocess.PIPE
    ) as process:
        lines = [json.loads(process.stdout.readline()) for _ in range(3)]
        end(place, RunState.DONE)
        lines += [json.loads(line) for line in process.stdout]
        assert process.wait(PATIENCE_S) == 0
    assert [line["state"] for line in lines[:3]] == ["active"] * 3
    assert lines[-1]["state"] == "done"
    first = lines[0]
    assert first["workers"][0]["worker"] == "language@box#1"
    assert (first["candidates"], first["accepted"], first["acceptance"]) == (3, 3, 1.0)
    assert first["labels"][0]["label"] == "dog"
    assert first["eta_s"] is None


def shown(place, run_id, width, height=50):
    """Return the view as text for a screen of this size."""
    console = Console(width=width, height=height)
    with console.capture() as capture:
        console.print(live_view(RunMonitor(place.sessions, run_id).look(height), width, height))
    return capture.get()


@pytest.mark.parametrize("width", [80, 120, 200])
def test_no_line_is_longer_than_the_screen_and_nothing_is_missing(place, width):
    run_id = begin(place, ("dog", "a [bold]house[/bold] with a very very long name", "猫🐱"))
    text = shown(place, run_id, width)
    assert max(len(line) for line in text.splitlines()) <= width
    for words in (
        "language@box 1",
        "brainstorm",
        "filter",
        "accepted",
        "100%",
        "time left not known yet",
    ):
        assert words in text
    assert "[bold]house" in text
    assert "猫🐱" in text


def test_a_label_takes_one_line_with_any_number_of_reasons(place):
    run_id = begin(place)
    lines = len(shown(place, run_id, 120).splitlines())
    with place.sessions.begin() as session:
        batch = rows.batch_of(session, session.get(Run, run_id))
        for reason in list(REASONS)[:6]:
            rows.add_candidate(place, session, batch, verdict="rejected", reason=reason)
    text = shown(place, run_id, 120)
    assert f"1 {min(list(REASONS)[:6])}" in text
    assert len(text.splitlines()) == lines


def test_more_labels_than_lines_are_counted_in_one_line(place):
    run_id = begin(place, tuple(f"word{number}" for number in range(30)))
    text = shown(place, run_id, 120, height=24)
    assert len(text.splitlines()) <= 23
    assert "word0 " in text
    assert "more labels: " in text


def test_durations_are_readable():
    assert [format_duration(s) for s in (None, 0.4, 61, 3600 * 5 + 59)] == [
        "—",
        "0 s",
        "1 min 01 s",
        "5 h 00 min",
    ]


@pytest.mark.processes
@pytest.mark.parametrize("form", [(), ("--json",)], ids=["lines", "json"])
def test_watch_waits_for_a_database_that_stops_answering(postgres_place, postgres, tmp_path, form):
    begin(postgres_place)
    engine = engine_of(postgres_place.sessions)
    url, name = engine.url.render_as_string(hide_password=False), engine.url.database
    words = command("--database-url", url, "--interval", "0.1", *form)
    with (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err:
        process = subprocess.Popen(words, stdout=out, stderr=err)
    try:
        wait_for(lambda: "3" in read(tmp_path / "out") + read(tmp_path / "err"), process)
        engine.dispose()
        postgres.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        postgres.execute(CUT.format(name))
        wait_for(lambda: "The database does not answer" in read(tmp_path / "err"), process)
    finally:
        postgres.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    end(postgres_place, RunState.DONE)
    assert process.wait(PATIENCE_S) == 0, read(tmp_path / "err")
    assert "Traceback" not in read(tmp_path / "err")
    if form:
        objects = [json.loads(line) for line in read(tmp_path / "out").splitlines()]
        assert (objects[0]["state"], objects[-1]["state"]) == ("active", "done")


def wait_for(condition, process):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


def read(path):
    return path.read_text(encoding="utf-8")
