"""Report of a measurement: results.json, and an HTML page with tables and curves."""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from chatgenimage.factory.atomic_write import write_file
from chatgenimage.factory.gain import charts
from chatgenimage.factory.gain.arms import Kind
from chatgenimage.factory.gain.metrics import METRICS
from chatgenimage.factory.gain.result import ArmFacts, GainResult
from chatgenimage.factory.gain.statistics import Interval
from chatgenimage.factory.gain.verdict import (
    class_gains,
    domain_gains,
    explain_controls,
    explain_origins,
    find_contest,
    list_harmed,
    order_arms,
    points,
    state_gain,
)
from chatgenimage.factory.reports.charts import Draw, to_svg

TEMPLATES = Path(__file__).parent / "templates"
RESULTS, PAGE = "results.json", "report.html"
ROW_IN = 0.32
WIDTH_IN = 7.2
MOST_ROWS = 40


def write_report(result: GainResult, out_dir: Path) -> tuple[Path, Path]:
    """Write results.json and report.html; return their paths.

    Raises:
        CannotWrite: If they cannot be written.
    """
    results, page = out_dir / RESULTS, out_dir / PAGE
    text = json.dumps(to_record(result), indent=2, ensure_ascii=False, allow_nan=False)
    write_file(results, f"{text}\n".encode())
    write_file(page, to_gain_page(result).encode())
    return results, page


def to_record(result: GainResult) -> dict[str, Any]:
    """Return everything of a result as JSON values; an unknown half width is null."""
    contest = find_contest(result)
    return {
        "verdict": state_gain(result),
        "task": result.task,
        "metric": result.metric,
        "compared": None if contest is None else {"with": contest[0], "without": contest[1]},
        "gain": None if contest is None else _to_json(result.difference(*contest)),
        "gain_by_domain": {name: _to_json(gain) for name, gain in domain_gains(result)},
        "gain_by_class": {name: _to_json(gain) for name, gain in class_gains(result)},
        "harmed_classes": [name for name, _ in list_harmed(result)],
        "origins": explain_origins(result),
        "controls": explain_controls(result),
        "arms": [_arm_record(result, arm) for arm in result.arms],
        "test_images_by_domain": dict(result.domains),
        "test_objects_by_class": dict(result.test_objects),
        "settings": dict(result.settings),
        "notes": list(result.notes),
    }


def to_gain_page(result: GainResult) -> str:
    """Return the HTML page."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined
    )
    metrics = METRICS[result.task]
    domains = [*result.domains] if len(result.domains) > 1 else []
    return environment.get_template("gain.html").render(
        result=result,
        verdict=state_gain(result),
        sentences=[*explain_origins(result), *explain_controls(result)],
        charts=[Markup(chart) for chart in _draw(result)],  # noqa: S704  # matplotlib escapes
        metrics=metrics,
        domains=domains,
        rows=[_row(result, arm, domains) for arm in order_arms(result)],
        classes=[(name, result.test_objects[name], gain) for name, gain in class_gains(result)],
        points=points,
    )


def _draw(result: GainResult) -> Iterator[str]:
    """Yield the charts as SVG."""
    shown = [arm for arm in order_arms(result) if arm.kind is not Kind.CURVE]
    yield _svg(partial(charts.draw_arms, result=result, arms=shown), "arms", len(shown))
    if result.arms_of(Kind.CURVE):
        yield _svg(partial(charts.draw_curve, result=result), "curve", 10)
    for name, gains in (("domain", domain_gains(result)), ("class", class_gains(result))):
        if some := gains[:MOST_ROWS]:
            title = f"Gain by {name}" + (
                f", the first {MOST_ROWS}" if len(gains) > len(some) else ""
            )
            draw = partial(charts.draw_gains, gains=some, title=title, metric=result.metric)
            yield _svg(draw, name, len(some))


def _svg(draw: Draw, name: str, rows: int) -> str:
    return to_svg(draw, f"gain-{name}", (WIDTH_IN, 1.1 + ROW_IN * max(rows, 3)))


def _row(result: GainResult, arm: ArmFacts, domains: list[str]) -> dict[str, Any]:
    """Return an arm's line of the table: each metric overall, then the main one by domain."""
    found = [result.interval(arm.name, metric) for metric in METRICS[result.task]]
    found += [result.interval(arm.name, domain=domain) for domain in domains]
    return {"arm": arm, "cells": ["-" if one is None else points(one) for one in found]}


def _arm_record(result: GainResult, arm: ArmFacts) -> dict[str, Any]:
    """Return an arm with every value by seed, and their intervals."""
    keys = sorted(
        {(one.metric, one.domain or "", one.label or "") for one in _values_of(result, arm)}
    )
    return asdict(arm) | {
        "values": [
            {
                "metric": metric,
                "domain": domain or None,
                "class": label or None,
                "by_seed": result.values(arm.name, metric, domain or None, label or None),
                **_to_json(result.interval(arm.name, metric, domain or None, label or None)),
            }
            for metric, domain, label in keys
        ]
    }


def _values_of(result: GainResult, arm: ArmFacts) -> Iterator[Any]:
    return (one for cell in result.cells if cell.arm == arm.name for one in cell.values)


def _to_json(found: Interval | None) -> dict[str, float | None]:
    if found is None:
        return {"mean": None, "half_width": None}
    half = found.half_width if math.isfinite(found.half_width) else None
    return {"mean": found.mean, "half_width": half}
