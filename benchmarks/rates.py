"""Results of the delivery benchmark: rates of bare tasks and steps, and their CPU time."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.page import to_table
from benchmarks.parts import PARTS, WORKER_PARTS

RATE_HEADS = (
    *("database", "", "steps/s", "items/s", "times a bare task"),
    *("CPU ms per step", "times a bare task"),
)


@dataclass(frozen=True, slots=True)
class Rate:
    """Number of steps and seconds, and the CPU milliseconds of each part."""

    what: str
    steps: int
    items: int
    seconds: float
    part_ms: Counter[str]

    def __add__(self, other: "Rate") -> "Rate":
        """Return the sum of both."""
        return Rate(
            self.what,
            self.steps + other.steps,
            self.items + other.items,
            self.seconds + other.seconds,
            self.part_ms + other.part_ms,
        )

    @property
    def steps_per_s(self) -> float:
        """Return steps per second."""
        return self.steps / self.seconds

    @property
    def cpu_ms(self) -> float:
        """Return the CPU time of a step in the worker's processes, independent of other load."""
        return sum(self.cpu_ms_of(part) for part in WORKER_PARTS)

    def cpu_ms_of(self, part: str) -> float:
        """Return the CPU time of a step in one part."""
        return self.part_ms[part] / self.steps


@dataclass(frozen=True, slots=True)
class Delivery:
    """Results on one database."""

    database: str
    rates: list[Rate]
    recovery_s: float


def tell_delivery(found: Sequence[Delivery]) -> str:
    """Return the results of the databases as Markdown."""
    rows = [
        (
            delivery.database,
            rate.what,
            f"{rate.steps_per_s:,.0f}",
            f"{rate.items / rate.seconds:,.0f}",
            f"{delivery.rates[0].steps_per_s / rate.steps_per_s:.1f}",
            f"{rate.cpu_ms:.1f}",
            f"{rate.cpu_ms / delivery.rates[0].cpu_ms:.1f}",
        )
        for delivery in found
        for rate in delivery.rates
    ]
    recovery = " and ".join(f"{each.recovery_s:.1f} s on {each.database}" for each in found)
    return f"""\
Steps that compute nothing, through dispatcher, embedded broker and one worker process (prefork, one
spawned child). For comparison, bare Celery tasks in chains of the same length run through the same
worker with the same settings, in turn with the steps. CPU time is that of the worker's two
processes, and depends less on other load of the machine. An item is an image, in most steps; the
micro profile computes 280 ms on one, a large model seconds.

{to_table(RATE_HEADS, rows)}

After `kill -9` of the broker, the only worker and its child, and an immediate restart, the next
step was finished after {recovery}. That includes the start
of the new worker's two processes, without models.
"""


def tell_parts(found: Sequence[Delivery]) -> str:
    """Return the CPU time of each part of a worker and of each server, as Markdown."""
    measured = [(delivery, rate) for delivery in found for rate in delivery.rates]
    heads = ["CPU ms", *(f"{delivery.database}, {rate.what}" for delivery, rate in measured)]
    rows = [
        [words, *(f"{rate.cpu_ms_of(part):.1f}" for _, rate in measured)]
        for part, words in PARTS.items()
    ]
    return f"""\
Per bare task and per step, in the same runs:

{to_table(heads, rows)}

The parent and the child work in turn: a worker takes the next message only after it acknowledged
the last, so that no message waits behind a pass of several minutes. The dispatcher runs at fixed
intervals, so its share is smaller if steps are fast. A step of one pass costs two transactions and
six statements, which `tests/tasks/test_step.py` checks. One transaction claims it, loads its rows,
and adds its items with their first attempt counted. The other ends the step if the claim is still
valid, writes the results, settles the items and passes the batch on. PostgreSQL answers each of
these, `BEGIN` and `COMMIT` one by one: ten round trips. SQLite runs inside the child.
"""
