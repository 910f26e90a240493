"""Runs of real worker processes whose steps only sleep."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import psutil
from sqlalchemy import func, select

from chatgenimage.db.models import Item, Run, Step
from chatgenimage.db.states import ItemState, RunState, StepState
from chatgenimage.factory.submission.labels import read_labels
from chatgenimage.factory.submission.submitter import submit
from tests.factory.sleeping import SLEEP_FILE

PATIENCE_S = 600
ROOT = Path(__file__).parents[2]


def sleep(place, seconds):
    """Tell the passes that begin how long to take, at once: they never read half of it."""
    new = place.data_dir / f"{SLEEP_FILE}.new"
    new.write_text(str(seconds))
    new.replace(place.data_dir / SLEEP_FILE)


def submit_run(place, settings, labels=("dog", "house")):
    with place.sessions.begin() as session:
        return submit(session, read_labels(labels).requests, settings, seed=0).run_id


@contextmanager
def worker(settings, tmp_path, **environment):
    """Run a worker whose steps sleep; yield its process, with stderr in a file."""
    profile = tmp_path / "impatient.yaml"
    options = ["--profile", profile, "--data-dir", settings.data_dir]
    command = [sys.executable, "-m", "tests.factory.sleeping_worker", *options]
    with (tmp_path / "log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=log, stderr=log, env={**os.environ, **environment}
        )
    try:
        yield process
    finally:
        process.kill()  # its child dies with it
        process.wait()


def wait_for(condition, patience_s=PATIENCE_S):
    """Wait until the condition is true; return the seconds that it took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() < started + patience_s
        time.sleep(0.1)
    return time.monotonic() - started


def count_items(place, state):
    with place.sessions() as session:
        return session.scalar(select(func.count()).where(Item.state == state))


def has_claimed(place, process):
    with place.sessions() as session:
        running = select(Step.owner).where(Step.state == StepState.RUNNING)
        return any(f"#{process.pid}/" in owner for owner in session.scalars(running))


def is_done(place, run_id):
    with place.sessions() as session:
        return session.get_one(Run, run_id).state == RunState.DONE


def assert_whole(place):
    """Check that every item of every step was done exactly once."""
    with place.sessions() as session:
        assert session.scalars(select(Item.state).distinct()).all() == [ItemState.DONE]
        assert session.scalar(select(func.count()).select_from(Step)) == 8
        assert session.scalar(select(func.count()).select_from(Item)) == 32


def model_child(process):
    """Return the child process that holds the claims; a broker's server may be younger."""
    children = psutil.Process(process.pid).children()
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())][-1]
