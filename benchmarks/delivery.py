"""Cost of the delivery: `make bench` prints it and writes its sections of docs/benchmarks.md.

Steps that compute nothing pass the whole system (dispatcher, embedded broker, a real worker
process, claims and fences in SQLite and in PostgreSQL), and bare Celery tasks pass the same worker:
the ratio is the cost of the rows. Then all processes are killed, and a long list is submitted.
"""

import json
import operator
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import reduce
from pathlib import Path

import psutil
from celery import chain
from sqlalchemy import func, select

from benchmarks import submission
from benchmarks.page import put_section
from benchmarks.parts import cpu_ms_by_part
from benchmarks.rates import Delivery, Rate, tell_delivery, tell_parts
from benchmarks.steps import BARE, TIMES_FILE
from chatgenimage.db.models import Run, Step
from chatgenimage.db.session import Sessions
from chatgenimage.db.states import RunState
from chatgenimage.factory.app import make_celery
from chatgenimage.factory.broker.broker import open_broker
from chatgenimage.factory.broker.embedded_redis import PID_FILE, EmbeddedBroker
from chatgenimage.factory.database import open_database
from chatgenimage.factory.settings.model import Settings, load_settings
from chatgenimage.factory.submission.labels import read_labels
from chatgenimage.factory.submission.submitter import submit
from chatgenimage.tasks.chain import QUEUES, plan_chain
from tests.postgres import PostgresServer, find_binaries

BATCHES = 12
SIZES = (1, 8)
BARE_CHAINS = 20
ROUNDS = 4
PATIENCE_S = 300
LOG_FILE = "worker.log"
POLL_S = 0.1


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
        ("Cost of the delivery", tell_delivery(found)),
        ("Where a step's time goes", tell_parts(found)),
        ("Submitting", submission.tell(submitting)),
    ):
        put_section(title, "make bench", text)
        print(text)  # noqa: T201  # its results


@contextmanager
def postgres_url() -> Iterator[str]:
    """Start a PostgreSQL server that writes to disk as in production."""
    binaries = find_binaries()
    if binaries is None:
        raise FileNotFoundError("no PostgreSQL server found; `make install-dev` installs one")
    server = PostgresServer(binaries, settings=())
    server.start()
    try:
        server.execute("CREATE DATABASE benchmark")
        yield server.url("benchmark")
    finally:
        server.stop()
        server.remove()


def measure_delivery(database: str, settings: Settings) -> Delivery:
    """Return the rates of bare tasks and empty steps, and the recovery time after a kill."""
    sessions = open_database(settings)
    with open_broker(settings), worker(settings) as process:
        measure_bare(settings, process, chains=1)  # warm-up of both, until the worker has started
        measure_steps(settings, process, sessions, size=1)
        rounds = [list(measure_round(settings, process, sessions)) for _ in range(ROUNDS)]
    rates = [reduce(operator.add, same) for same in zip(*rounds, strict=True)]
    return Delivery(database, rates, measure_recovery(settings, sessions))


def measure_round(settings: Settings, worker: psutil.Process, sessions: Sessions) -> Iterator[Rate]:
    """Yield each rate once, in turn, so that other load on the machine affects all equally."""
    yield measure_bare(settings, worker, chains=BARE_CHAINS)
    for size in SIZES:
        yield measure_steps(settings, worker, sessions, size)


def measure_recovery(settings: Settings, sessions: Sessions) -> float:
    """Return the seconds from the kill of broker and worker to the next finished step."""
    requests = read_labels([f"other {number}" for number in range(BATCHES)]).requests
    with sessions.begin() as session:
        submit(session, requests, settings, seed=None)
    started_at = time.time()
    with EmbeddedBroker(settings.data_dir) as broker, worker(settings) as process:
        wait_for(lambda: last_finish(sessions) > started_at)
        for each in (*process.children(recursive=True), process):
            each.kill()
        os.kill(int((broker.folder / PID_FILE).read_text(encoding="ascii")), signal.SIGKILL)
    killed_at = time.time()
    with EmbeddedBroker(settings.data_dir), worker(settings):
        wait_for(lambda: last_finish(sessions) > killed_at)
    return last_finish(sessions) - killed_at


def last_finish(sessions: Sessions) -> float:
    """Return the time when a step was last finished, 0 if none was."""
    with sessions() as session:
        return session.scalar(select(func.max(Step.finished_at))) or 0.0


def measure_bare(settings: Settings, worker: psutil.Process, *, chains: int) -> Rate:
    """Return the rate of chains of bare tasks."""
    links = plan_chain(settings.chain, settings.chain.mode)
    total = chains * len(links)
    path = settings.data_dir / TIMES_FILE
    path.unlink(missing_ok=True)
    part_ms = cpu_ms_by_part(worker)
    app = make_celery(settings, open_broker(settings).url)
    for _ in range(chains):
        names = (app.signature(BARE, (total,), queue=QUEUES[x.name], immutable=True) for x in links)
        chain(*names, app=app).apply_async()
    wait_for(lambda: path.exists() and path.stat().st_size > 0)
    first, last = json.loads(path.read_text(encoding="utf-8"))
    return Rate(
        "bare Celery tasks", total - 1, total - 1, last - first, cpu_ms_by_part(worker) - part_ms
    )


def measure_steps(
    settings: Settings, worker: psutil.Process, sessions: Sessions, size: int
) -> Rate:
    """Return the rate of empty steps of `size` items each."""
    chain_options = {"per_label": size, "batch_size": size}
    settings = load_settings(
        "micro",
        data_dir=settings.data_dir,
        database_url=settings.resolved_database_url(),
        chain=chain_options,
    )
    requests = read_labels([f"word {number}" for number in range(BATCHES)]).requests
    part_ms = cpu_ms_by_part(worker)
    with sessions.begin() as session:
        run_id = submit(session, requests, settings, seed=None).run_id
    wait_for(lambda: is_done(sessions, run_id))
    part_ms = cpu_ms_by_part(worker) - part_ms
    with sessions() as session:
        steps = session.scalars(select(Step).where(Step.batch.has(run_id=run_id))).all()
    times = [step.finished_at for step in steps if step.finished_at is not None]
    what = f"steps of {size} item{'s' * (size > 1)}"
    return Rate(what, len(steps) - 1, size * len(steps), max(times) - min(times), part_ms)


def is_done(sessions: Sessions, run_id: int) -> bool:
    """Return whether the run is done."""
    with sessions() as session:
        return session.get_one(Run, run_id).state == RunState.DONE


@contextmanager
def worker(settings: Settings) -> Iterator[psutil.Process]:
    """Run a worker process with empty steps; it logs into a file, in the usual format."""
    with (
        (settings.data_dir / LOG_FILE).open("ab") as log,
        subprocess.Popen(  # noqa: S603  # our own module
            [
                *(sys.executable, "-W", "ignore", "-m", "benchmarks.worker"),
                *(str(settings.data_dir), settings.resolved_database_url()),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,
        ) as process,
    ):
        yield psutil.Process(process.pid)


def wait_for(condition: Callable[[], bool]) -> None:
    """Return once the condition holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the benchmark's worker did not finish; run it on a quieter machine")
        time.sleep(POLL_S)


if __name__ == "__main__":
    main()
