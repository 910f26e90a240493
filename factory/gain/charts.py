"""Charts of a measurement: arms, curve, and gains by domain and class."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from chatgenimage.factory.gain.arms import BOTH, REAL, REAL_AUGMENTED, REAL_MILD, SYNTHETIC, Kind
from chatgenimage.factory.gain.result import ArmFacts, GainResult
from chatgenimage.factory.gain.statistics import Interval
from chatgenimage.factory.gain.verdict import POINTS
from chatgenimage.factory.reports.charts import INK, KEPT, LOST, NEUTRAL

COLOURS = {Kind.MAIN: KEPT, Kind.CONTROL: NEUTRAL, Kind.CURVE: KEPT, Kind.ORIGIN: LOST}
NAME_LETTERS = 32


def draw_arms(axes: Axes, result: GainResult, arms: Sequence[ArmFacts]) -> None:
    """Draw the mean of each arm with its interval, and the value of each seed."""
    for row, arm in enumerate(arms):
        colour = COLOURS[arm.kind]
        found = result.interval(arm.name)
        if found is not None:
            _draw_interval(axes, row, found, colour)
            values = [POINTS * value for value in result.values(arm.name, result.metric).values()]
            axes.scatter(values, [row] * len(values), s=9, color=colour, alpha=0.5, linewidths=0)
    _name_rows(axes, [arm.name for arm in arms])
    axes.set_xlabel(f"{result.metric}, points")
    axes.set_title("Arms: mean and 95 % interval over seeds", loc="left")


def draw_curve(axes: Axes, result: GainResult) -> None:
    """Draw the metric by the number of synthetic images, without augmentation."""
    whole = BOTH if result.has_arm(BOTH) else SYNTHETIC
    start = [arm for arm in result.arms if arm.name == REAL]
    end = [arm for arm in result.arms if arm.name == whole]
    known = [
        (arm, result.interval(arm.name)) for arm in (*start, *result.arms_of(Kind.CURVE), *end)
    ]
    found = [(arm.synthetic, one) for arm, one in known if one is not None]
    counts = [count for count, _ in found]
    means = [POINTS * one.mean for _, one in found]
    half = [POINTS * one.half_width if np.isfinite(one.half_width) else 0 for _, one in found]
    axes.errorbar(counts, means, half, color=KEPT, marker="o", capsize=3, label=whole)
    best = result.best_of(REAL_MILD, REAL_AUGMENTED)
    traditional = None if best is None else result.interval(best)
    if traditional is not None:
        axes.axhline(POINTS * traditional.mean, color=LOST, linestyle="--", label=best)
        if np.isfinite(traditional.half_width):
            low, high = POINTS * traditional.low, POINTS * traditional.high
            axes.axhspan(low, high, color=LOST, alpha=0.12, linewidth=0)
    axes.set_xlabel("synthetic images")
    axes.set_ylabel(f"{result.metric}, points")
    axes.legend(fontsize=8)
    axes.set_title("More synthetic images", loc="left")


def draw_gains(axes: Axes, gains: Sequence[tuple[str, Interval]], title: str, metric: str) -> None:
    """Draw differences with their intervals: blue is better, orange is worse, grey is unclear."""
    for row, (_, gain) in enumerate(gains):
        colour = KEPT if gain.is_positive else LOST if gain.is_negative else NEUTRAL
        _draw_interval(axes, row, gain, colour)
    axes.axvline(0, color=INK, linewidth=0.8)
    _name_rows(axes, [name for name, _ in gains])
    axes.set_xlabel(f"difference of {metric}, points")
    axes.set_title(title, loc="left")


def _draw_interval(axes: Axes, row: int, found: Interval, colour: str) -> None:
    half = POINTS * found.half_width if np.isfinite(found.half_width) else 0
    axes.errorbar(POINTS * found.mean, row, xerr=half, color=colour, marker="o", capsize=3)


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    short = [
        name if len(name) <= NAME_LETTERS else f"{name[: NAME_LETTERS - 1]}…" for name in names
    ]
    axes.set_yticks(range(len(short)), short)
    axes.set_ylim(len(short) - 0.5, -0.5)
