"""Throughput: a run's recent rates, and the time left at these rates."""

from collections import deque
from typing import NamedTuple

from chatgenimage.db.run_activity import ComputeProgress

WINDOW_S = 120.0
SHORTEST_S = 5.0
"""Rates over a shorter time are not reliable."""


class ProgressSample(NamedTuple):
    """Work done at one time of a monotonic clock."""

    at_s: float
    work_s: float
    images: int
    accepted: int


class Throughput:
    """Rates over the last two minutes; None: not known."""

    def __init__(self, window_s: float = WINDOW_S) -> None:
        self._window_s = window_s
        self._samples: deque[ProgressSample] = deque()

    def add(self, sample: ProgressSample) -> None:
        """Add a sample; samples must be added in order of time."""
        self._samples.append(sample)
        while self._samples[-1].at_s - self._samples[1 % len(self._samples)].at_s > self._window_s:
            self._samples.popleft()

    @property
    def is_empty(self) -> bool:
        """Return whether no sample was added yet."""
        return not self._samples

    @property
    def images_per_min(self) -> float | None:
        """Return how many images were made per minute."""
        return self._per_s("images", 60.0)

    @property
    def accepted_per_min(self) -> float | None:
        """Return how many images were accepted per minute."""
        return self._per_s("accepted", 60.0)

    def eta_s(self, work: ComputeProgress) -> float | None:
        """Return the seconds left at the recent rate; None: not known."""
        rate = self._per_s("work_s")
        return work.left_s / rate if rate and rate > 0 and work.left_s is not None else None

    def _per_s(self, name: str, times: float = 1.0) -> float | None:
        if not self._samples:
            return None
        first, last = self._samples[0], self._samples[-1]
        seen_s = last.at_s - first.at_s
        if seen_s < SHORTEST_S:
            return None
        return times * float(getattr(last, name) - getattr(first, name)) / seen_s
