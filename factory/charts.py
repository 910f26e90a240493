"""The charts of a run: each draws onto axes that it is given, for a page as for a PNG."""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from db.reporting import ScoreValues
from factory.thresholds import ScoreSurvey
from tasks.judging import RULES

INK = "#010203"
"""Text and lines; a page replaces it by its own colour of text, light or dark."""
KEPT, LOST, NEUTRAL, MARK = "#0072B2", "#D55E00", "#8C8C8C", "#CC79A7"
"""Okabe and Ito's colours: told apart by everyone, on light and on dark."""
BINS = 24
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
    """Return a chart as an SVG element that takes the colour of the text around it.

    Args:
        draw: Draws onto axes.
        name: Keeps the ids of one chart apart from those of another on the same page.
        size_in: Width and height in inches.
    """
    with mpl.rc_context({**STYLE, "svg.hashsalt": name}):
        figure = Figure(size_in, layout="constrained")
        draw(figure.add_subplot())
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :].replace(INK, "currentColor")


def to_png(draws: Sequence[Draw], title: str, columns: int = 2) -> bytes:
    """Return charts in a grid on white, as PNG."""
    rows = -(-len(draws) // columns)
    with mpl.rc_context(STYLE):
        figure = Figure((6.4 * columns, 3.2 * rows), layout="constrained", dpi=110)
        figure.suptitle(title, fontsize=14)
        for index, draw in enumerate(draws):
            draw(figure.add_subplot(rows, columns, index + 1))
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", facecolor="white")
    return buffer.getvalue()


def draw_funnel(axes: Axes, stages: Mapping[str, int]) -> None:
    """Draw how many are left after each step, from top to bottom."""
    names, counts = list(stages), list(stages.values())
    colours = [KEPT if "accepted" in name else NEUTRAL for name in names]
    bars = axes.barh(names, counts, color=colours)
    axes.bar_label(bars, padding=3)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_title("What was left after each step", loc="left")


def draw_outcomes(axes: Axes, outcomes: Mapping[str, Mapping[str, int]]) -> None:
    """Draw for each label (or origin) how many were accepted, and rejected for which reason."""
    names = list(outcomes)
    left = np.zeros(len(names))
    kinds = list(dict.fromkeys(kind for found in outcomes.values() for kind in found))
    shades = mpl.colormaps["YlOrBr_r"](np.linspace(0.25, 0.75, max(len(kinds) - 1, 1)))
    reasons = sorted(kind for kind in kinds if kind != "accepted")
    colours = {"accepted": KEPT, **dict(zip(reasons, shades, strict=False))}
    for kind, colour in colours.items():
        counts = np.array([outcomes[name].get(kind, 0) for name in names])
        axes.barh(names, counts, left=left, color=colour, label=kind)
        left += counts
    axes.invert_yaxis()
    axes.legend(fontsize=7, ncols=3, loc="upper center", bbox_to_anchor=(0.45, -0.12))
    axes.set_title("Accepted, and rejected by reason", loc="left")


def draw_score(axes: Axes, score: ScoreValues) -> None:
    """Draw the values of a score on both sides of its threshold."""
    rule = RULE[score.name]
    values = np.array(score.values)
    shown = values if score.threshold is None else np.append(values, score.threshold)
    bins = np.linspace(shown.min(), max(shown.max(), shown.min() + 1e-9), BINS + 1)
    passed = np.full(len(values), fill_value=True)
    if score.threshold is not None:
        passed = np.array([rule.passes(value, score.threshold) for value in score.values])
        axes.axvline(score.threshold, color=MARK, linewidth=1.5)
    axes.hist([values[passed], values[~passed]], bins.tolist(), stacked=True, color=[KEPT, LOST])
    told = "" if score.threshold is None else f", {passed.mean():.0%} pass {score.threshold:g}"
    axes.set_title(f"{score.name} of {score.origin} ({len(values)}{told})", loc="left", fontsize=9)


def draw_objects(axes: Axes, counts: Mapping[int, int]) -> None:
    """Draw how many accepted images have how many objects."""
    axes.bar_label(axes.bar([str(number) for number in counts], list(counts.values()), color=KEPT))
    axes.set_xlabel("objects")
    axes.set_title("Objects per accepted image", loc="left")


def draw_balance(axes: Axes, counts: Mapping[str, int], most: int = 24) -> None:
    """Draw how often each label is found on accepted images."""
    shown = dict(list(counts.items())[:most])
    axes.bar_label(axes.barh(list(shown), list(shown.values()), color=KEPT), padding=3)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    more = f", the first {most} of {len(counts)}" if len(counts) > most else ""
    axes.set_title(f"Objects by label{more}", loc="left")


def draw_box_sizes(axes: Axes, shares: Sequence[tuple[float, float]]) -> None:
    """Draw how wide and high the boxes are, as shares of their images."""
    widths, heights = np.array(shares).reshape(-1, 2).T
    *_, image = axes.hist2d(widths, heights, bins=16, range=[[0, 1], [0, 1]], cmap="viridis")
    axes.figure.colorbar(image, ax=axes, label="boxes")
    axes.set_aspect("equal")
    axes.set_xlabel("width / image width")
    axes.set_ylabel("height / image height")
    axes.set_title("Box sizes", loc="left")


def draw_seconds(axes: Axes, seconds_by_step: Mapping[str, float]) -> None:
    """Draw the models' time by step."""
    bars = axes.barh(list(seconds_by_step), list(seconds_by_step.values()), color=NEUTRAL)
    axes.bar_label(bars, fmt="{:.1f} s", padding=3)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_title("Compute time by step", loc="left")


def draw_survey(axes: Axes, survey: ScoreSurvey) -> None:
    """Draw the values of a score, and how many would be accepted at other thresholds."""
    axes.hist(survey.values, BINS, color=NEUTRAL)
    axes.axvline(survey.threshold, color=MARK, linewidth=1.5)
    axes.set_ylabel("measured")
    accepted = axes.twinx()
    accepted.plot(
        [one.threshold for one in survey.survivors],
        [one.accepted for one in survey.survivors],
        color=KEPT,
        marker="o",
        markersize=3,
    )
    accepted.set_ylim(bottom=0)
    accepted.set_ylabel("accepted in all, at this threshold", color=KEPT)
    axes.set_title(f"{survey.name}, held to {survey.threshold:g}", loc="left")
