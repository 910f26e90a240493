"""Timing of `factory run`: wall clock, first candidate, and what was made."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from chatgenimage.db.session import connect
from chatgenimage.factory.settings.model import DATABASE_FILE

ROOT = Path(__file__).parent.parent
MADE = re.compile(r"; (\d+) candidates")


@dataclass(frozen=True, slots=True)
class TimedRun:
    """A finished `factory run`.

    Attributes:
        wall_s: From the start of the command to its end.
        first_s: From the start of the command to the first candidates.
        images: Hash and verdict of each candidate, by label and key.
    """

    wall_s: float
    first_s: float
    images: dict[str, tuple[str, str]]


def time_run(folder: Path, words: Sequence[str], checkout: Path = ROOT) -> tuple[TimedRun, float]:
    """Return a run, and the seconds between the start of its first step and its last step's end.

    Args:
        folder: An empty data folder.
        words: Arguments of `factory run`.
        checkout: The repository whose code runs.
    """
    command = [sys.executable, "-m", "chatgenimage", "run", *words, "--data-dir", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(checkout)}  # of a child
    started, first_s = time.perf_counter(), 0.0
    with subprocess.Popen(  # noqa: S603  # our own command
        command,
        env=environment,
        cwd=checkout,
        stderr=subprocess.PIPE,
        text=True,
        stdout=subprocess.DEVNULL,
    ) as running:
        assert running.stderr is not None  # noqa: S101  # a pipe
        for line in running.stderr:
            found = MADE.search(line)
            if found and int(found[1]) and not first_s:
                first_s = time.perf_counter() - started
    wall_s = time.perf_counter() - started
    if running.returncode:
        raise SystemExit(f"factory run ended with exit code {running.returncode}; see {folder}")
    images, steps_s = _read(folder)
    return TimedRun(wall_s, first_s, images), steps_s


def _read(folder: Path) -> tuple[dict[str, tuple[str, str]], float]:
    with connect(f"sqlite:///{folder / DATABASE_FILE}")() as session:
        rows = session.execute(
            text(
                "SELECT label.name || '/' || candidate.key, sha256, verdict FROM candidate"
                " JOIN label ON label.id = candidate.label_id"
            )
        )
        images = {name: (sha256, verdict) for name, sha256, verdict in rows}
        span = session.execute(text("SELECT max(finished_at) - min(started_at) FROM step"))
        return images, float(span.scalar_one())
