"""Steps per second of 1, 2, 4 and 8 workers on one PostgreSQL database.

    python -m benchmarks.workers

The steps compute nothing, so what is measured is the delivery: how many steps the database, the
broker and the processors can do, and which of them is the limit. Processor time is stated next to
it, because workers, broker and database share this machine.
"""

import statistics
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from sqlalchemy import select

from benchmarks.delivery import is_done, postgres_url, wait_for, worker
from benchmarks.page import put_section, to_table
from chatgenimage.db.models import Step
from chatgenimage.db.session import Sessions
from chatgenimage.factory.broker.broker import open_broker
from chatgenimage.factory.database import open_database
from chatgenimage.factory.settings.model import Settings, load_settings
from chatgenimage.factory.submission.labels import read_labels
from chatgenimage.factory.submission.submitter import submit

COUNTS = (1, 2, 4, 8)
ROUNDS = 3
BATCHES = 40
HEADS = ("workers", "steps/s", "times one worker", "cores in use", "of these PostgreSQL")


@dataclass(frozen=True, slots=True)
class Speed:
    """One measurement.

    Attributes:
        steps_per_s: Steps per second, from the first finished step to the last.
        cores: Processor seconds of all processes per second.
        database_cores: The part of PostgreSQL.
    """

    steps_per_s: float
    cores: float
    database_cores: float


def main() -> None:
    """Measure each number of workers in turns; print the section and write it."""
    found: dict[int, list[Speed]] = {count: [] for count in COUNTS}
    with tempfile.TemporaryDirectory(prefix=".benchmark-", dir=".") as name, postgres_url() as url:
        settings = load_settings(
            "micro",
            data_dir=Path(name),
            database_url=url,
            chain={"per_label": 1, "batch_size": 1},
        )
        sessions = open_database(settings)
        with open_broker(settings):
            for _ in range(ROUNDS):
                for count, speeds in found.items():
                    with workers(settings, count):
                        measure(settings, sessions, count)  # until all have started
                        speeds.append(measure(settings, sessions, BATCHES))
    text = to_markdown(found)
    put_section("Workers on one database", "python -m benchmarks.workers", text)
    print(text)  # noqa: T201  # its results


@contextmanager
def workers(settings: Settings, count: int) -> Iterator[None]:
    """Run so many worker processes of all roles."""
    with ExitStack() as running:
        for _ in range(count):
            running.enter_context(worker(settings))
        yield


def measure(settings: Settings, sessions: Sessions, batches: int) -> Speed:
    """Submit batches of one image and return how quickly their steps are done."""
    requests = read_labels([f"word {number}" for number in range(batches)]).requests
    before = cpu_s()
    with sessions.begin() as session:
        run_id = submit(session, requests, settings, seed=None).run_id
    wait_for(lambda: is_done(sessions, run_id))
    used = {part: cpu_s()[part] - before[part] for part in before}
    with sessions() as session:
        ended = session.scalars(
            select(Step.finished_at).where(Step.batch.has(run_id=run_id), Step.finished_at > 0)
        ).all()
    times = [at for at in ended if at is not None]
    seconds = max(times) - min(times)
    return Speed((len(times) - 1) / seconds, used["all"] / seconds, used["postgres"] / seconds)


def cpu_s() -> dict[str, float]:
    """Return the processor seconds so far of all processes of the benchmark, and of PostgreSQL."""
    used = {"all": 0.0, "postgres": 0.0}
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        try:
            times, name = process.cpu_times(), process.name()
        except psutil.NoSuchProcess:
            continue
        used["all"] += times.user + times.system
        if "postgres" in name:
            used["postgres"] += times.user + times.system
    return used


def to_markdown(found: dict[int, list[Speed]]) -> str:
    """Return the medians as a section of the page."""
    medians = {count: median(speeds) for count, speeds in found.items()}
    one = medians[COUNTS[0]].steps_per_s
    rows = [
        (
            count,
            f"{speed.steps_per_s:,.0f}",
            f"{speed.steps_per_s / one:.1f}",
            f"{speed.cores:.2f}",
            f"{speed.database_cores:.2f}",
        )
        for count, speed in medians.items()
    ]
    return f"""\
Steps that compute nothing, in batches of one image; every worker has a child and a dispatcher.
Workers, broker and PostgreSQL share the {psutil.cpu_count()} cores; medians of {ROUNDS} rounds, in
turns.

{to_table(HEADS, rows)}
"""


def median(speeds: list[Speed]) -> Speed:
    """Return the median of each number."""
    return Speed(
        *(
            statistics.median(getattr(speed, name) for speed in speeds)
            for name in ("steps_per_s", "cores", "database_cores")
        )
    )


if __name__ == "__main__":
    main()
