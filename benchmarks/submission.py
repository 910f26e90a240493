"""Cost of submitting a hundred thousand labels, and of keeping them waiting."""

import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from valkey import Valkey

from chatgenimage.factory.app import make_celery
from chatgenimage.factory.broker.broker import open_broker
from chatgenimage.factory.database import open_database
from chatgenimage.factory.processes.dispatcher import Dispatcher
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.submission.labels import read_labels
from chatgenimage.factory.submission.submitter import submit

LABELS = 100_000
TICKS = 5


@dataclass(frozen=True, slots=True)
class Submitting:
    """Cost of a long list of labels.

    Attributes:
        labels: Number of submitted labels.
        seconds: Duration of the submission.
        memory_bytes: Additional peak memory.
        tick_s: Duration of a dispatcher's tick with all of them waiting.
        rung: Number of chains sent to the broker.
        broker_bytes: Additional memory of the broker.
    """

    labels: int
    seconds: float
    memory_bytes: int
    tick_s: float
    rung: int
    broker_bytes: int


def measure(data_dir: Path) -> Submitting:
    """Submit, then run some ticks of a dispatcher without any worker."""
    settings = load_settings("micro", data_dir=data_dir, chain={"per_label": 1})
    sessions = open_database(settings)
    words = [f"word {number}" for number in range(LABELS)]
    memory_bytes, started = peak_memory_bytes(), time.perf_counter()
    with sessions.begin() as session:
        submit(session, read_labels(words).requests, settings, seed=None)
    seconds = time.perf_counter() - started
    memory_bytes = peak_memory_bytes() - memory_bytes
    with open_broker(settings) as broker:
        before = broker_memory_bytes(broker.url)
        dispatcher = Dispatcher(make_celery(settings, broker.url), sessions, settings.delivery)
        rung = dispatcher.tick()
        started = time.perf_counter()
        rung += sum(dispatcher.tick() for _ in range(TICKS))
        tick_s = (time.perf_counter() - started) / TICKS
        more = broker_memory_bytes(broker.url) - before
    return Submitting(LABELS, seconds, memory_bytes, tick_s, rung, more)


def tell(submitting: Submitting) -> str:
    """Return the cost of a long list as Markdown."""
    return f"""\
{submitting.labels:,} labels are submitted in {submitting.seconds:.1f} s, with
{submitting.memory_bytes / 2**20:.0f} MiB more memory at the peak. With all of them waiting, a tick
of the dispatcher takes {submitting.tick_s * 1000:.0f} ms, and the broker holds
{submitting.broker_bytes / 2**10:,.0f} KiB more than before: the window's {submitting.rung} chains.
"""


def broker_memory_bytes(url: str) -> int:
    """Return the memory used by the broker."""
    path = url.removeprefix("redis+socket://").partition("?")[0]
    with Valkey(unix_socket_path=path) as client:
        return int(client.info("memory")["used_memory"])


def peak_memory_bytes() -> int:
    """Return the peak memory of this process."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
