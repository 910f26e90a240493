"""Report of a run: one self-contained HTML page, and a PNG of its charts."""

import base64
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image
from sqlalchemy.orm import Session

from chatgenimage.db import reporting
from chatgenimage.db.domains import Coverage, list_coverage, to_matrix
from chatgenimage.db.errors import ImageBroken, ImageMissing
from chatgenimage.db.images import ImageStore
from chatgenimage.db.label_progress import LabelOrder, LabelProgress, list_label_progress
from chatgenimage.db.marks import count_marks
from chatgenimage.db.models import Candidate, Run
from chatgenimage.db.queries import list_candidates
from chatgenimage.db.quotas import Quota, list_quotas
from chatgenimage.db.reporting import Diversity, RunCost, ScoreValues
from chatgenimage.db.run_problems import Problems, find_problems
from chatgenimage.db.runs import FunnelStage, count_funnel, count_funnel_by_label
from chatgenimage.db.states import Origin, Verdict
from chatgenimage.factory.commands import spell
from chatgenimage.factory.problems import problem_lines
from chatgenimage.factory.reports import charts
from chatgenimage.factory.reports.charts import Draw, Grid
from chatgenimage.factory.reports.funnel import count_funnel_steps
from chatgenimage.factory.reports.overlay import Overlay, colours_of
from chatgenimage.tasks.chain import QUEUES
from chatgenimage.tasks.filter_rules import RULES

TEMPLATES = Path(__file__).parent / "templates"
THUMBNAIL_PX = 176
EXAMPLES_PER_KIND = 8
MOST_LABELS = 30
"""More labels than this are collapsed; the worst `WORST_LABELS` are shown."""
WORST_LABELS = 15
MOST_ROWS = 2000
"""Lines of a table; `factory status --by-label` lists every label."""
CHART_IN = (6.4, 3.2)
SCORE_IN = (4.2, 2.2)


@dataclass(frozen=True, slots=True)
class ReportData:
    """All data of a run's report, read in one transaction."""

    run: Run
    stages: tuple[FunnelStage, ...]
    by_label: Mapping[str, tuple[FunnelStage, ...]]
    labels: tuple[LabelProgress, ...]
    proposals: Mapping[str, int]
    scores: tuple[ScoreValues, ...]
    objects_per_image: Mapping[int, int]
    objects_by_label: Mapping[str, int]
    box_shares: tuple[tuple[float, float], ...]
    diversity: Diversity
    spending: RunCost
    examples: Mapping[str, list[Candidate]]
    quotas: tuple[Quota, ...]
    coverage: Mapping[str, Mapping[str, Coverage | None]]
    problems: Problems
    marks: Mapping[tuple[Origin, Verdict, bool], int]

    @property
    def made(self) -> int:
        """Return how many candidates there are."""
        return sum(stage.made for stage in self.stages)

    @property
    def accepted(self) -> int:
        """Return how many of them were accepted."""
        return sum(stage.accepted for stage in self.stages)


def read_facts(session: Session, run: Run) -> ReportData:
    """Read the data of a run's report."""
    judged = {(origin, rule.name) for origin, rules in RULES.items() for rule in rules}
    scores = reporting.list_score_values(session, run.id)
    examples = reporting.list_examples(session, run.id, EXAMPLES_PER_KIND)
    return ReportData(
        run=run,
        stages=count_funnel(session, run.id),
        by_label=count_funnel_by_label(session, run.id),
        labels=tuple(list_label_progress(session, run.id, LabelOrder.ACCEPTED)),
        proposals=reporting.count_proposals(session, run.id),
        scores=tuple(score for score in scores if (score.origin, score.name) in judged),
        objects_per_image=reporting.count_objects_per_image(session, run.id),
        objects_by_label=reporting.count_objects_by_label(session, run.id),
        box_shares=tuple(reporting.iter_box_shares(session, run.id)),
        diversity=reporting.measure_diversity(session, run.id),
        spending=reporting.measure_spending(session, run.id),
        examples={kind: list_candidates(session, ids) for kind, ids in examples.items()},
        quotas=tuple(list_quotas(session, run.id)),
        coverage=to_matrix(list_coverage(session, run.id)),
        problems=find_problems(session, run.id),
        marks=count_marks(session, run.id),
    )


def to_page(facts: ReportData, images: ImageStore, stops: Sequence[str] = ()) -> str:
    """Return the report as HTML with all it shows; `stops` say why the run does not continue."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined
    )
    labels = [
        one.label for found in facts.examples.values() for c in found for one in c.annotations
    ]
    overlay = Overlay(THUMBNAIL_PX, colours_of(sorted(set(labels))))
    return environment.get_template("report.html").render(
        facts=facts,
        stops=stops,
        labels=_choose_labels(facts.labels),
        quotas=sorted(facts.quotas, key=lambda quota: quota.missing, reverse=True),
        most_labels=MOST_LABELS,
        spell=spell,
        charts=[_to_markup(*chart, CHART_IN) for chart in _charts(facts).items()],
        scores=[_to_markup(*chart, SCORE_IN) for chart in _score_charts(facts).items()],
        examples={
            kind: [_to_example(candidate, overlay, images) for candidate in found]
            for kind, found in sorted(
                facts.examples.items(), key=lambda kind: kind[0] != "accepted"
            )
        },
        spending=_describe_spending(facts),
        problems=problem_lines(facts.run.id, facts.problems)[1:],
        diversity=_describe_diversity(facts.diversity),
        agreement=_describe_agreement(facts.marks),
    )


def to_picture(facts: ReportData) -> bytes:
    """Return the report's charts as PNG."""
    title = f"Run {facts.run.id}: {facts.accepted} of {facts.made} candidates accepted"
    return charts.to_png(
        title,
        Grid([*_charts(facts).values()], columns=3, height_in=2.9),
        Grid([*_score_charts(facts).values()], columns=4, height_in=1.9),
    )


@dataclass(frozen=True, slots=True)
class ShownLabels:
    """Labels of the report, those that lack most of what was asked for first.

    Attributes:
        worst: Always visible.
        every: In a part that a reader opens; empty if all are visible.
        empty: Labels without an accepted candidate.
        short: Number of labels with fewer accepted candidates than were asked for.
        left_out: Number of labels that are not in the page.
    """

    worst: tuple[LabelProgress, ...]
    every: tuple[LabelProgress, ...]
    empty: tuple[LabelProgress, ...]
    short: int
    left_out: int


def _choose_labels(labels: tuple[LabelProgress, ...]) -> ShownLabels:
    is_long = len(labels) > MOST_LABELS
    empty = tuple(one for one in labels if not one.accepted)
    return ShownLabels(
        labels[:WORST_LABELS] if is_long else labels,
        labels[:MOST_ROWS] if is_long else (),
        empty[:MOST_ROWS],
        sum(one.missing > 0 for one in labels),
        max(len(labels) - MOST_ROWS, 0),
    )


def _charts(facts: ReportData) -> dict[str, Draw]:
    """Return the run's charts by name; without accepted candidates there are fewer."""
    outcomes = {label: _outcome(stages) for label, stages in facts.by_label.items()}
    if len(outcomes) > MOST_LABELS:
        outcomes = {stage.origin.value: _outcome((stage,)) for stage in facts.stages}
    left = count_funnel_steps(facts.stages, facts.proposals)
    drawn: dict[str, Draw] = {
        "funnel": partial(charts.draw_funnel, stages=left),
        "outcomes": partial(charts.draw_outcomes, outcomes=outcomes),
    }
    if facts.box_shares:
        drawn |= {
            "objects": partial(charts.draw_object_counts, counts=facts.objects_per_image),
            "balance": partial(charts.draw_balance, counts=facts.objects_by_label),
            "boxes": partial(charts.draw_box_sizes, shares=facts.box_shares),
        }
    if facts.spending.seconds_by_step:
        spent = facts.spending.seconds_by_step
        seconds = {name: spent[name] for name in QUEUES if name in spent}
        drawn["seconds"] = partial(charts.draw_seconds, seconds_by_step=seconds)
    return drawn


def _score_charts(facts: ReportData) -> dict[str, Draw]:
    """Return a chart per origin and score, in the order of the rules."""
    measured = {(score.origin, score.name): score for score in facts.scores}
    return {
        f"{origin}-{rule.name}": partial(charts.draw_score, score=measured[origin, rule.name])
        for origin, rules in RULES.items()
        for rule in rules
        if (origin, rule.name) in measured
    }


def _outcome(stages: tuple[FunnelStage, ...]) -> dict[str, int]:
    outcome = {"accepted": sum(stage.accepted for stage in stages)}
    for stage in stages:
        for reason, count in stage.rejected.items():
            outcome[reason] = outcome.get(reason, 0) + count
    return outcome


def _to_markup(name: str, draw: Draw, size_in: tuple[float, float]) -> Markup:
    return Markup(charts.to_svg(draw, name, size_in))  # noqa: S704  # matplotlib escapes its texts


def _to_example(candidate: Candidate, overlay: Overlay, images: ImageStore) -> dict[str, Any]:
    scores = {score.name: score for score in candidate.scores}
    failed = next((score for score in candidate.scores if score.passed is False), None)
    shown = failed or scores.get("clip_similarity")
    held = "" if shown is None or shown.threshold is None else f" (threshold {shown.threshold:g})"
    return {
        "candidate": candidate,
        "image": _to_data_uri(candidate, overlay, images),
        "score": "" if shown is None else f"{shown.name} {shown.value:.3g}{held}",
    }


def _to_data_uri(candidate: Candidate, overlay: Overlay, images: ImageStore) -> str | None:
    """Return the image with its objects as a data URI; None if its file is missing or damaged."""
    try:
        drawn = overlay.annotated(images.get(candidate.sha256), candidate)
    except (ImageMissing, ImageBroken):
        return None
    return f"data:image/webp;base64,{base64.b64encode(_to_webp(drawn)).decode()}"


def _to_webp(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="WEBP", quality=85)
    return buffer.getvalue()


def _describe_spending(facts: ReportData) -> Iterator[tuple[str, str, str]]:
    """Yield name, total and amount per accepted image."""
    spent, run = facts.spending, facts.run
    amounts = {
        "compute time": (sum(spent.seconds_by_step.values()), "{:,.1f} s"),
        "wall-clock time": ((run.finished_at or run.created_at) - run.created_at, "{:,.1f} s"),
        "calls of the language model": (spent.calls, "{:,.1f}"),
        "prompt tokens": (spent.prompt_tokens, "{:,.1f}"),
        "completion tokens": (spent.completion_tokens, "{:,.1f}"),
        "cost": (spent.cost, "{:,.4f}"),
    }
    if spent.unknown:
        amounts["answers of unknown cost"] = (spent.unknown, "{:,.1f}")
    for name, (amount, form) in amounts.items():
        each = form.format(amount / facts.accepted) if facts.accepted else "-"
        yield name, form.format(amount), each


def _describe_agreement(
    marks: Mapping[tuple[Origin, Verdict, bool], int],
) -> Iterator[tuple[str, int, int, str, str]]:
    """Yield origin, numbers of good and bad reviews, and precision and recall of the filters."""
    origins = [origin for origin in Origin if any(origin is each for each, _, _ in marks)]
    for name, some in [*((str(one), [one]) for one in origins), ("all", origins)]:
        counted = Counter[tuple[Verdict, bool]]()
        for (origin, verdict, is_good), count in marks.items():
            counted[verdict, is_good] += count * (origin in some)
        kept, let_in = counted[Verdict.ACCEPTED, True], counted[Verdict.ACCEPTED, False]
        lost, kept_out = counted[Verdict.REJECTED, True], counted[Verdict.REJECTED, False]
        precision, recall = _share(kept, kept + let_in), _share(kept, kept + lost)
        yield name, kept + lost, let_in + kept_out, precision, recall


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%} of {whole}" if whole else "-"


def _describe_diversity(diversity: Diversity) -> Iterator[tuple[str, int, str]]:
    """Yield name, number of different values, and its share of the accepted images."""
    for name, count in (
        ("families (initial images with an accepted descendant)", diversity.roots),
        ("prompts and instructions", diversity.prompts),
        ("captions", diversity.captions),
        ("edited backgrounds", diversity.backgrounds),
    ):
        share = f"{count / diversity.accepted:.0%}" if diversity.accepted else "-"
        yield name, count, share
