"""Thresholds: how many candidates others would accept, and which ones the reviews suggest."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from sqlalchemy.orm import Session

from chatgenimage.db.fingerprints import Scope
from chatgenimage.db.marks import iter_marks
from chatgenimage.db.models import Run
from chatgenimage.db.states import Origin, Verdict
from chatgenimage.db.verdicts import JudgedCandidate, iter_judged
from chatgenimage.factory.curation.duplicates import RunDuplicates, load_duplicates
from chatgenimage.factory.curation.refilter import (
    good_by_themselves,
    judge_page,
    limits_in_force,
)
from chatgenimage.factory.curation.reviews import MARKS, read_marks
from chatgenimage.factory.errors import BadMarks
from chatgenimage.tasks.filter_rules import DERIVED, RULES, Limits
from chatgenimage.tasks.options import run_options
from chatgenimage.tasks.rule import Rule

STEPS = 9
LEAST_GAIN = 0.01
"""Of F1: another threshold is suggested if it is better by this."""
GALLERY = "gallery"
"""The source name of the reviews in the database."""


@dataclass(frozen=True, slots=True)
class ThresholdEffect:
    """How many candidates of a run would be accepted if one threshold were another.

    Attributes:
        passing: How many pass this rule alone.
        accepted: How many would be accepted, the other thresholds as they are.
    """

    threshold: float
    passing: int
    accepted: int


@dataclass(frozen=True, slots=True)
class ScoreSurvey:
    """A score of a run, over all origins that are compared with its threshold.

    Attributes:
        rule: By which it is judged.
        values: All that were measured, ascending.
        threshold: In force.
        survivors: At some values, the one in force among them.
    """

    rule: Rule
    values: tuple[float, ...]
    threshold: float
    survivors: tuple[ThresholdEffect, ...]

    @property
    def name(self) -> str:
        """Return the score's name."""
        return self.rule.name


@dataclass(frozen=True, slots=True)
class ThresholdQuality:
    """Precision and recall of a threshold on the reviewed candidates.

    Attributes:
        precision: Share of good ones among those that pass; None if none passes.
        recall: Share of the good ones that pass.
    """

    threshold: float
    precision: float | None
    recall: float

    @property
    def f1(self) -> float:
        """Return the harmonic mean of precision and recall."""
        if not self.precision or not self.recall:
            return 0.0
        return 2 * self.precision * self.recall / (self.precision + self.recall)


@dataclass(frozen=True, slots=True)
class ThresholdAdvice:
    """What the reviews suggest for one score.

    Attributes:
        marked: How many reviewed candidates have the score.
        now: With the threshold in force.
        best: With the threshold of the greatest F1.
    """

    name: str
    marked: int
    now: ThresholdQuality
    best: ThresholdQuality

    @property
    def is_better(self) -> bool:
        """Return whether the other threshold is better by `LEAST_GAIN`."""
        return self.best.f1 >= self.now.f1 + LEAST_GAIN


def survey(session: Session, run: Run) -> list[ScoreSurvey]:
    """Return every judged score of a run, with the effect of other thresholds."""
    pages = list(iter_judged(session, run.id))
    duplicates = load_duplicates(session, Scope(run.id), run_options(run))
    limits = limits_in_force(session, run)
    rules = {rule.name: rule for rules in RULES.values() for rule in rules}
    found = []
    for name, rule in rules.items():
        values = sorted(_values(pages, name))
        if values:
            steps = _steps(values, limits[name])
            survivors = tuple(
                _survive(pages, duplicates, rule, values, {**limits, name: step}) for step in steps
            )
            found.append(ScoreSurvey(rule, tuple(values), limits[name], survivors))
    return found


def marks_of(session: Session, run: Run, source: str) -> dict[int, bool]:
    """Return the reviews of a run by candidate, True is good.

    Args:
        session: To look them up.
        run: Whose candidates they are.
        source: `GALLERY` for those in the database, or the path of a CSV.

    Raises:
        BadMarks: If the file cannot be used, or if none is good or none is bad.
    """
    kept = source == GALLERY
    marks = dict(iter_marks(session, run.id)) if kept else read_marks(session, run, Path(source))
    if len(set(marks.values())) < len(MARKS):
        place = f"the database for run {run.id}" if kept else source
        raise BadMarks(
            f"the reviews in {place} must say good of some candidates and bad of others; "
            "review some more in `factory gallery`."
        )
    return marks


def calibrate(session: Session, run: Run, marks: Mapping[int, bool]) -> list[ThresholdAdvice]:
    """Return what the reviews suggest for each score that an image has by itself."""
    limits = limits_in_force(session, run)
    candidates = [c for page in iter_judged(session, run.id) for c in page]
    rules = {rule.name: rule for rules in RULES.values() for rule in rules if rule not in DERIVED}
    advice = []
    for name, rule in rules.items():
        pairs = [
            (candidate.scores[name], marks[candidate.candidate_id])
            for candidate in candidates
            if candidate.candidate_id in marks and name in candidate.scores
        ]
        values = {value for value, _ in pairs}
        if len(values) > 1 and len({is_good for _, is_good in pairs}) == len(MARKS):
            tried = [quality_of(rule, pairs, step) for step in thresholds_between(values)]
            best = max(tried, key=lambda quality: quality.f1)
            now = quality_of(rule, pairs, limits[name])
            advice.append(ThresholdAdvice(name, len(pairs), now, best))
    return advice


def quality_of(
    rule: Rule, pairs: Sequence[tuple[float, bool]], threshold: float
) -> ThresholdQuality:
    """Return precision and recall of a threshold on values with their reviews."""
    passing = [is_good for value, is_good in pairs if rule.passes(value, threshold)]
    good = sum(is_good for _, is_good in pairs)
    precision = sum(passing) / len(passing) if passing else None
    return ThresholdQuality(threshold, precision, sum(passing) / good)


def thresholds_between(values: Iterable[float]) -> list[float]:
    """Return round thresholds between neighbouring values, and the two that let all pass."""
    ordered = sorted(values)
    middles = {float(f"{(low + high) / 2:.3g}") for low, high in pairwise(ordered)}
    return [ordered[0], *sorted(middles), ordered[-1]]


def _steps(values: Sequence[float], threshold: float) -> list[float]:
    """Return round thresholds over the range of the values, with the one in force."""
    quantiles = np.quantile(values, np.linspace(0, 1, STEPS))
    return sorted({threshold, *(float(f"{value:.3g}") for value in quantiles)})


def _survive(
    pages: Sequence[Sequence[JudgedCandidate]],
    duplicates: RunDuplicates,
    rule: Rule,
    values: Sequence[float],
    limits: Limits,
) -> ThresholdEffect:
    """Return how many candidates pass one rule, and how many are accepted, with these limits."""
    matches = (
        duplicates.find_matches(good_by_themselves(pages, limits), limits)
        if duplicates.doubtful
        else {}
    )
    accepted = sum(
        judgement.verdict is Verdict.ACCEPTED
        for page in pages
        for judgement in judge_page(page, limits, matches).values()
    )
    threshold = limits[rule.name]
    passing = sum(rule.passes(value, threshold) for value in values)
    return ThresholdEffect(threshold, passing, accepted)


def _values(pages: Sequence[Sequence[JudgedCandidate]], name: str) -> Iterable[float]:
    held = {origin for origin in Origin if any(rule.name == name for rule in RULES[origin])}
    for page in pages:
        for candidate in page:
            if candidate.origin in held and name in candidate.scores:
                yield candidate.scores[name]
