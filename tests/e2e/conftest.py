import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from chatgenimage.db.images import ImageStore
from chatgenimage.db.models import Candidate
from chatgenimage.db.session import connect

START_UP_S = 240
TRACKERS = ("billiard.semaphore_tracker", "multiprocessing.resource_tracker")
"""Processes of Python that end by themselves, a moment after the process that they watch."""
ROUNDING_LEVELS = 0.5
"""Mean difference, of 255 levels; images of different seeds differ by tens."""


@dataclass
class Factory:
    """The command line with its own data folder."""

    data_dir: Path

    def command(self, *arguments):
        return [sys.executable, "-m", "chatgenimage", *arguments, "--data-dir", str(self.data_dir)]

    def call(self, *arguments):
        """Run a command to its end and return it."""
        return subprocess.run(
            self.command(*arguments), capture_output=True, text=True, timeout=600, check=False
        )

    def call_json(self, *arguments):
        """Run a command that must succeed; return its JSON output."""
        called = self.call(*arguments, "--json")
        assert called.returncode == 0, called.stderr
        return json.loads(called.stdout)

    def start(self, *arguments):
        """Start a command in its own process group, as a terminal does, for Ctrl-C."""
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` ignores it
        with self.log.open("ab") as log:
            return subprocess.Popen(
                self.command(*arguments), stdout=log, stderr=log, process_group=0
            )

    @property
    def log(self):
        """The output of the started commands."""
        return self.data_dir.parent / "started.log"

    @property
    def sessions(self):
        return connect(f"sqlite:///{self.data_dir / 'factory.sqlite3'}")

    @property
    def images(self):
        return ImageStore(str(self.data_dir / "images"))

    def count_candidates(self):
        if not (self.data_dir / "factory.sqlite3").exists():
            return 0
        with suppress(OperationalError), self.sessions() as session:
            return session.scalar(select(func.count()).select_from(Candidate)) or 0
        return 0  # it has no tables yet

    def wait_for_candidates(self, count, process):
        """Wait until at least `count` candidates exist."""
        deadline = time.monotonic() + START_UP_S
        while self.count_candidates() < count:
            assert process.poll() is None, "the run ended early; see started.log"
            assert time.monotonic() < deadline, "no candidates in time"
            time.sleep(0.2)


@pytest.fixture
def factory(tmp_path):
    """A factory whose processes are always ended after the test."""
    yield Factory(tmp_path / "data")
    kill_all(tmp_path)


@pytest.fixture
def undisturbed(tmp_path):
    """Another factory, for an undisturbed run."""
    return Factory(tmp_path / "undisturbed")


def processes_in(folder, marks=("=",)):
    """Return the live processes with the folder in their command or environment.

    Args:
        marks: What may be in front of the folder's name; ":" finds a broker whose shell was killed.
    """
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                continue
            told = [*process.cmdline(), *process.environ().values()]
        except psutil.Error:
            continue
        if any(tracker in text for tracker in TRACKERS for text in told):
            continue
        marked = [f"{mark}{folder}" for mark in marks]
        if any(text.startswith(str(folder)) or any(m in text for m in marked) for text in told):
            found.append(process)
    return found


def kill_all(folder):
    """Kill every process with the folder in its command or environment, also its broker."""
    for process in processes_in(folder, marks=("=", ":")):
        with suppress(psutil.NoSuchProcess):  # it ended with one that was killed before
            process.kill()


def wait_until_gone(folder):
    """Wait until no process has the folder in its command or environment."""
    deadline = time.monotonic() + START_UP_S
    while processes_in(folder):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def model_child(process):
    """Return the process of a `factory run` that has loaded the models."""
    children = psutil.Process(process.pid).children(recursive=True)
    return max(children, key=lambda child: child.memory_info().rss)


def interrupt(process):
    """Send what Ctrl-C in a terminal sends; return the exit code."""
    os.killpg(process.pid, signal.SIGINT)
    return process.wait(timeout=START_UP_S)


def assert_same_dataset(factory, undisturbed):
    """Check that two runs made the same candidates; their pixels are equal up to rounding.

    A pass of another size, as after a kill, changes some pixels by a level (docs/chaos.md).
    """
    found, expected = _candidates(factory), _candidates(undisturbed)
    assert {key: row for key, (row, _) in found.items()} == {
        key: row for key, (row, _) in expected.items()
    }
    for key, (_, sha256) in found.items():
        pixels = factory.images.get(sha256).astype(int)
        difference = np.abs(pixels - undisturbed.images.get(expected[key][1]))
        assert difference.mean() <= ROUNDING_LEVELS, key


def _candidates(factory):
    with factory.sessions() as session:
        return {
            (c.label.name, c.key): ((c.prompt_text, c.seed, c.verdict, c.reason), c.sha256)
            for c in session.scalars(select(Candidate))
        }
