"""Means with 95 % intervals over seeds, and paired differences."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and half the width of its 95 % interval (Student's t).

    Attributes:
        half_width: Infinite with fewer than two values: nothing is known of their spread.
        count: Number of values.
    """

    mean: float
    half_width: float
    count: int

    @property
    def low(self) -> float:
        """Return the lower end."""
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        """Return the upper end."""
        return self.mean + self.half_width

    @property
    def is_positive(self) -> bool:
        """Return whether the whole interval is above 0."""
        return self.low > 0

    @property
    def is_negative(self) -> bool:
        """Return whether the whole interval is below 0."""
        return self.high < 0


def interval_of(values: Sequence[float]) -> Interval:
    """Return the mean of values and its interval.

    Raises:
        ValueError: Without a value.
    """
    if not values:
        raise ValueError("no value, expected at least one")
    if len(values) == 1:
        return Interval(values[0], math.inf, 1)
    from scipy.stats import t

    quantile = float(t.ppf((1 + CONFIDENCE) / 2, len(values) - 1))
    return Interval(fmean(values), quantile * stdev(values) / math.sqrt(len(values)), len(values))


def paired_difference(ours: Mapping[int, float], base: Mapping[int, float]) -> Interval | None:
    """Return the mean of `ours - base` by seed; None if they have no seed in common.

    Args:
        ours: Value by seed.
        base: Value by seed; the same seed had the same start weights.
    """
    seeds = sorted(ours.keys() & base.keys())
    return interval_of([ours[seed] - base[seed] for seed in seeds]) if seeds else None
