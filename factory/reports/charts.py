"""Charts of a run: each function draws on given axes, for a page or a PNG."""

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from chatgenimage.db.reporting import ScoreValues
from chatgenimage.factory.curation.thresholds import ScoreSurvey
from chatgenimage.tasks.filter_rules import RULES
from chatgenimage.tasks.rule import Rule

INK = "#010203"
"""Colour of text and lines; in a page it is replaced by the page's text colour."""
KEPT, LOST, NEUTRAL, LIMIT = "#0072B2", "#D55E00", "#8C8C8C", "#CC79A7"
"""Okabe and Ito's colours, safe for colour blindness, on light and dark backgrounds."""
BINS = 24
PICTURE_WIDTH_IN = 13.0
NAME_LETTERS = 24
RULE = {rule.name: rule for rules in RULES.values() for rule in rules}
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "svg.fonttype": "none",
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    **{f"{part}.color": INK for part in ("text", "xtick", "ytick")},
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "legend.frameon": False,
}

Draw = Callable[[Axes], None]


def to_svg(draw: Draw, name: str, size_in: tuple[float, float]) -> str:
    """Return a chart as an SVG element in the colour of the surrounding text.

    Args:
        draw: Function that draws on axes.
        name: Name of the chart; makes the ids in the SVG unique on the page.
        size_in: Width and height in inches.
    """
    with mpl.rc_context({**STYLE, "svg.hashsalt": name}):
        figure = Figure(size_in, layout="constrained")
        draw(figure.add_subplot())
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :].replace(INK, "currentColor")


@dataclass(frozen=True, slots=True)
class Grid:
    """Charts of one size, side by side."""

    draws: Sequence[Draw]
    columns: int
    height_in: float

    @property
    def rows(self) -> int:
        """Return how many rows they take."""
        return -(-len(self.draws) // self.columns)


def to_png(title: str, *grids: Grid) -> bytes:
    """Return grids of charts as PNG, one below the other, on white."""
    shown = [grid for grid in grids if grid.draws]
    heights = [grid.rows * grid.height_in for grid in shown]
    with mpl.rc_context(STYLE):
        figure = Figure((PICTURE_WIDTH_IN, sum(heights) + 0.4), layout="constrained", dpi=110)
        figure.suptitle(title, fontsize=14)
        parts = figure.subfigures(len(shown), height_ratios=heights, squeeze=False)
        for grid, (part,) in zip(shown, parts, strict=True):
            for index, draw in enumerate(grid.draws):
                draw(part.add_subplot(grid.rows, grid.columns, index + 1))
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", facecolor="white")
    return buffer.getvalue()


def draw_funnel(axes: Axes, stages: Mapping[str, int]) -> None:
    """Draw the number of images left after each step, from top to bottom."""
    names, counts = list(stages), list(stages.values())
    colours = [KEPT if "accepted" in name else NEUTRAL for name in names]
    bars = axes.barh(range(len(names)), counts, color=colours)
    axes.bar_label(bars, padding=3)
    _name_rows(axes, names)
    axes.margins(x=0.12)
    axes.set_title("Remaining after each step", loc="left")


def draw_outcomes(axes: Axes, outcomes: Mapping[str, Mapping[str, int]]) -> None:
    """Draw accepted and rejected candidates, by reason, for each label or origin."""
    names = list(outcomes)
    left = np.zeros(len(names))
    kinds = list(dict.fromkeys(kind for found in outcomes.values() for kind in found))
    shades = mpl.colormaps["YlOrBr_r"](np.linspace(0.25, 0.75, max(len(kinds) - 1, 1)))
    reasons = sorted(kind for kind in kinds if kind != "accepted")
    colours = {"accepted": KEPT, **dict(zip(reasons, shades, strict=False))}
    for kind, colour in colours.items():
        counts = np.array([outcomes[name].get(kind, 0) for name in names])
        axes.barh(range(len(names)), counts, left=left, color=colour, label=kind)
        left += counts
    _name_rows(axes, names)
    axes.legend(fontsize=7, ncols=3, loc="upper center", bbox_to_anchor=(0.45, -0.12))
    axes.set_title("Accepted and rejected, by reason", loc="left")


def draw_score(axes: Axes, score: ScoreValues) -> None:
    """Draw the values of a score on both sides of its threshold."""
    if score.threshold is None:
        axes.hist(score.values, BINS, color=KEPT)
        summary = f"{len(score.values)} measured"
    else:
        rule = RULE[score.name]
        passed = _draw_sides(axes, score.values, rule, score.threshold)
        summary = f"{passed.mean():.0%} of {len(passed)} {rule.describe(score.threshold)}"
    axes.set_title(f"{score.name} of {score.origin}: {summary}", loc="left", fontsize=7)


def _draw_sides(
    axes: Axes, values: Sequence[float], rule: Rule, threshold: float
) -> NDArray[np.bool_]:
    """Draw passing and failing values and the threshold; return which values pass."""
    found = np.array(values)
    passed = np.array([rule.passes(value, threshold) for value in values])
    edges = bin_edges(values, threshold)
    sides = [found[passed], found[~passed]]
    axes.hist(sides, edges, stacked=True, color=[KEPT, LOST])
    axes.axvline(threshold, color=LIMIT, linewidth=1.5)
    return passed


def bin_edges(values: Sequence[float], threshold: float) -> list[float]:
    """Return bin edges that cover all values; the threshold is one of them."""
    least, most = min(*values, threshold), max(*values, threshold)
    width = (most - least or 1.0) / BINS
    first, last = np.floor((least - threshold) / width), np.floor((most - threshold) / width) + 1
    return [float(threshold + width * step) for step in np.arange(first, last + 1)]


def draw_object_counts(axes: Axes, counts: Mapping[int, int]) -> None:
    """Draw the distribution of objects per accepted image."""
    axes.bar_label(axes.bar([str(number) for number in counts], list(counts.values()), color=KEPT))
    axes.margins(y=0.1)
    axes.set_xlabel("objects")
    axes.set_title("Objects per accepted image", loc="left")


def draw_balance(axes: Axes, counts: Mapping[str, int], most: int = 14) -> None:
    """Draw the number of objects per label in accepted images."""
    shown = dict(list(counts.items())[:most])
    bars = axes.barh(range(len(shown)), list(shown.values()), color=KEPT)
    axes.bar_label(bars, padding=3)
    _name_rows(axes, shown)
    axes.margins(x=0.12)
    more = f", the first {most} of {len(counts)}" if len(counts) > most else ""
    axes.set_title(f"Objects by label{more}", loc="left")


def draw_box_sizes(axes: Axes, shares: Sequence[tuple[float, float]]) -> None:
    """Draw the distribution of box widths and heights, as shares of the image."""
    widths, heights = np.array(shares).reshape(-1, 2).T
    *_, image = axes.hist2d(widths, heights, bins=16, range=[[0, 1], [0, 1]], cmap="viridis")
    axes.figure.colorbar(image, ax=axes, label="boxes")
    axes.set_aspect("equal")
    axes.set_xlabel("width / image width")
    axes.set_ylabel("height / image height")
    axes.set_title("Box sizes", loc="left")


def draw_seconds(axes: Axes, seconds_by_step: Mapping[str, float]) -> None:
    """Draw the compute time per step."""
    bars = axes.barh(list(seconds_by_step), list(seconds_by_step.values()), color=NEUTRAL)
    axes.bar_label(bars, fmt="{:.1f} s", padding=3)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_title("Compute time by step", loc="left")


def draw_survey(axes: Axes, survey: ScoreSurvey) -> None:
    """Draw a score's values, and the number accepted at other thresholds."""
    _draw_sides(axes, survey.values, survey.rule, survey.threshold)
    axes.set_ylabel("measured")
    accepted = axes.twinx()
    accepted.plot(
        [one.threshold for one in survey.survivors],
        [one.accepted for one in survey.survivors],
        color=INK,
        linewidth=1,
        marker="o",
        markersize=3,
    )
    accepted.set_ylim(0, 1.1 * max(1, *(one.accepted for one in survey.survivors)))
    accepted.set_ylabel("accepted in total")
    limit = survey.rule.describe(survey.threshold)
    axes.set_title(f"{survey.name}: {limit} passes", loc="left")


def _name_rows(axes: Axes, names: Iterable[str]) -> None:
    """Write names next to bars, from top to bottom; long names are shortened."""
    short = [
        name if len(name) <= NAME_LETTERS else f"{name[: NAME_LETTERS - 1]}…" for name in names
    ]
    axes.set_yticks(range(len(short)), short)
    axes.locator_params(axis="x", integer=True)  # counts are integers
    axes.invert_yaxis()
