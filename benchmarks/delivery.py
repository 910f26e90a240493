"""What the bookkeeping costs: `make bench` prints it and writes docs/benchmarks.md.

Steps that compute nothing go through the whole of it (dispatcher, embedded broker, a real worker
process, claims and fences in SQLite), and bare Celery tasks through the same worker: the ratio says
what the rows cost. Then a long list of labels is submitted.
"""

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import psutil
from celery import chain
from sqlalchemy import select

from benchmarks.steps import BARE, TIMES_FILE
from db import dispatching
from db.models import Run, Step
from db.session import Sessions
from db.states import RunState
from factory.app import make_celery
from factory.broker import open_broker
from factory.database import open_database
from factory.dispatcher import plan_steps
from factory.labels import read_labels
from factory.settings import Settings, load_settings
from factory.submitter import submit
from tasks.chain import QUEUES, plan_chain

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
BATCHES = 6
SIZES = (1, 8)
MANY_LABELS = 20_000
BARE_CHAINS = 30
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
class Submitting:
    """What a long list of labels costs."""

    labels: int
    seconds: float
    memory_bytes: int
    tick_s: float


def main() -> None:
    """Measure, print, and write the page."""
    with tempfile.TemporaryDirectory(prefix=".benchmark-", dir=".") as folder:
        submitting = measure_submitting(Path(folder) / "submitting")
        settings = load_settings("micro", data_dir=Path(folder) / "delivery")
        sessions = open_database(settings)
        with open_broker(settings), worker(settings) as process:
            measure_bare(settings, process, chains=1)  # the worker starts meanwhile
            rates = [measure_bare(settings, process, chains=BARE_CHAINS)]
            rates += [measure_steps(settings, process, sessions, size) for size in SIZES]
    page = to_page(rates, submitting)
    PAGE.write_text(page, encoding="utf-8")
    print(page)  # noqa: T201  # its one result


def measure_submitting(data_dir: Path) -> Submitting:
    """Return what it costs to submit many labels, and to look at them from the dispatcher."""
    settings = load_settings("micro", data_dir=data_dir, chain={"per_label": 1})
    sessions = open_database(settings)
    words = [f"word {number}" for number in range(MANY_LABELS)]
    memory_bytes, started = peak_memory_bytes(), time.perf_counter()
    with sessions.begin() as session:
        submit(session, read_labels(words).requests, settings, seed=None)
    seconds = time.perf_counter() - started
    memory_bytes = peak_memory_bytes() - memory_bytes
    started = time.perf_counter()
    with sessions.begin() as session:
        dispatching.sweep(session, stale_s=settings.delivery.stale_s)
        dispatching.admit(session, window=settings.delivery.window, plan_steps=plan_steps)
        dispatching.take_due(session)
        dispatching.close_runs(session)
    return Submitting(MANY_LABELS, seconds, memory_bytes, time.perf_counter() - started)


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
    settings = load_settings("micro", data_dir=settings.data_dir, chain=chain_options)
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
        [sys.executable, "-W", "ignore", "-m", "benchmarks.worker", str(settings.data_dir)],
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


def peak_memory_bytes() -> int:
    """Return the most memory that this process ever held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def to_page(rates: list[Rate], submitting: Submitting) -> str:
    """Return the results as Markdown."""
    bare = rates[0]
    rows = "\n".join(
        f"| {rate.what} | {rate.steps_per_s:,.0f} | {rate.items / rate.seconds:,.0f} "
        f"| {bare.steps_per_s / rate.steps_per_s:.1f} | {rate.cpu_ms_per_step:.1f} "
        f"| {rate.cpu_ms_per_step / bare.cpu_ms_per_step:.1f} |"
        for rate in rates
    )
    return f"""\
# Benchmarks

Written by `make bench` on {machine()}.

## What the bookkeeping costs

Steps that compute nothing, through dispatcher, embedded broker, one worker process (prefork, one
spawned child) and SQLite with every commit on disk. Beside them bare Celery tasks in chains of the
same length, through the same worker. CPU time is that of the worker's two processes, and depends
little on what else the machine does.

| | steps/s | items/s | times a bare task | CPU ms per step | times a bare task |
|---|---|---|---|---|---|
{rows}

A step of the models takes seconds; what matters is that the rows cost little beside them.

## Submitting

{submitting.labels:,} labels are submitted in {submitting.seconds:.1f} s, with
{submitting.memory_bytes / 2**20:.0f} MiB more memory at the peak. Nothing of it goes to the broker.
With all of them waiting, a tick of the dispatcher takes {submitting.tick_s * 1000:.0f} ms.
"""


def machine() -> str:
    """Return where and when this was measured, and how busy it was."""
    load = os.getloadavg()[0]
    return (
        f"{time.strftime('%Y-%m-%d')}: {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores,\nload average {load:.1f}, Python {platform.python_version()}, "
        f"Celery {version('celery')}"
    )


if __name__ == "__main__":
    main()
