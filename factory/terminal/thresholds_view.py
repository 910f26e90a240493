"""Scores and thresholds for people: histograms in the terminal and as PNG, survivors, advice."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from chatgenimage.factory.commands import spell
from chatgenimage.factory.curation.thresholds import ScoreSurvey, ThresholdAdvice, ThresholdQuality

BARS = " ▁▂▃▄▅▆▇█"
BINS = 32


def surveys_view(surveys: Sequence[ScoreSurvey]) -> RenderableType:
    """Return each score as a histogram, with how many would survive below it."""
    return Group(*(part for survey in surveys for part in _survey_view(survey)))


def advice_view(run_id: int, advice: Sequence[ThresholdAdvice]) -> RenderableType:
    """Return the thresholds that the reviews suggest, score by score."""
    table = Table(title="Suggested by the reviews", title_justify="left", box=None)
    for name in (
        "score",
        "marked",
        "now",
        "precision",
        "recall",
        "suggested",
        "precision",
        "recall",
    ):
        table.add_column(name, justify="left" if name == "score" else "right")
    for one in advice:
        suggested = _in_words(one.best) if one.is_better else ()
        table.add_row(one.name, str(one.marked), *_in_words(one.now), *suggested)
    if not advice:
        return Text("no score was measured on good and on bad candidates: mark more of them.")
    return Group(table, Text(_describe_next(run_id, advice), style="dim"))


def surveys_record(
    surveys: Sequence[ScoreSurvey], advice: Sequence[ThresholdAdvice]
) -> dict[str, Any]:
    """Return the same as JSON values."""
    return {
        "scores": [
            {
                "name": survey.name,
                "measured": len(survey.values),
                "threshold": survey.threshold,
                "survivors": [asdict(one) for one in survey.survivors],
            }
            for survey in surveys
        ],
        "advice": [asdict(one) for one in advice],
    }


def surveys_picture(surveys: Sequence[ScoreSurvey], title: str) -> bytes:
    """Return each score's histogram and survivors as PNG."""
    from chatgenimage.factory.reports import charts  # late: it is slow to import

    draws = [partial(charts.draw_survey, survey=one) for one in surveys]
    return charts.to_png(title, charts.Grid(draws, columns=2, height_in=2.8))


def _survey_view(survey: ScoreSurvey) -> Iterator[RenderableType]:
    counts, edges = np.histogram(survey.values, BINS)
    scale = (len(BARS) - 1) / max(counts.max(), 1)
    bars = "".join(BARS[int(np.ceil(count * scale))] for count in counts)
    asked = survey.rule.describe(survey.threshold)
    yield Text.assemble(
        (survey.name, "bold"), f"  {len(survey.values)} measured, passes if {asked}"
    )
    yield Text(f"{edges[0]:8.3g} {bars} {edges[-1]:.3g}")
    table = Table(box=None, pad_edge=False, header_style="dim", show_header=False)
    rows = {
        "threshold": [f"{one.threshold:g}" for one in survey.survivors],
        "pass it": [str(one.passing) for one in survey.survivors],
        "accepted": [str(one.accepted) for one in survey.survivors],
    }
    in_force = [one.threshold == survey.threshold for one in survey.survivors]
    for name, cells in rows.items():
        styled = [
            Text(cell, "bold green" if now else "")
            for cell, now in zip(cells, in_force, strict=True)
        ]
        table.add_row(Text(name, "dim"), *styled)
    yield table
    yield ""


def _describe_next(run_id: int, advice: Sequence[ThresholdAdvice]) -> str:
    better = [one for one in advice if one.is_better]
    if not better:
        return "no other threshold sorts what is marked better than those in force."
    options = [word for one in better for word in ("--set", f"{one.name}={one.best.threshold:g}")]
    return f"to try them, or one of them: {spell('refilter', run_id, *options)}"


def _in_words(quality: ThresholdQuality) -> tuple[str, str, str]:
    precision = "-" if quality.precision is None else f"{quality.precision:.2f}"
    return f"{quality.threshold:g}", precision, f"{quality.recall:.2f}"
