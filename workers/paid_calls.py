"""Collect the calls of servers that are made while a family works, for the ledger.

Families return images, captions or boxes alone; what they asked and paid for is reported here. A
collector belongs to its thread, and to threads that were started with a copy of its context.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from chatgenimage.workers.values import Exchange

_collector: ContextVar[list[Exchange] | None] = ContextVar("paid_calls", default=None)


@contextmanager
def collect_calls() -> Iterator[list[Exchange]]:
    """Yield a list that gets every call reported inside, also if the work fails."""
    calls: list[Exchange] = []
    token = _collector.set(calls)
    try:
        yield calls
    finally:
        _collector.reset(token)


def report_calls(exchanges: Iterable[Exchange]) -> None:
    """Add calls to the collector; without one they are not kept."""
    calls = _collector.get()
    if calls is not None:
        calls.extend(exchanges)
