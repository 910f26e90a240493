"""View of one candidate: its objects as shapes, and its scores with thresholds."""

from collections.abc import Iterator
from dataclasses import dataclass

from chatgenimage.db.models import Candidate, Score
from chatgenimage.db.object_reviews import is_checked
from chatgenimage.db.states import Origin
from chatgenimage.factory.gallery.drawing import ObjectShape, draw_objects
from chatgenimage.tasks.filter_rules import RULES

AT_MOST = {rule.name for rules in RULES.values() for rule in rules if rule.at_most}
HEADROOM = 1.15


@dataclass(frozen=True, slots=True)
class ScoreBar:
    """A score as a bar with a tick at its threshold.

    Attributes:
        required: The threshold with its direction, e.g. "at least 0.25"; empty if not judged.
        outcome: "passed", "failed" or "not judged".
        fill: Length of the bar in percent.
        tick: Position of the threshold in percent; None: no threshold.
    """

    name: str
    value: float
    required: str
    outcome: str
    passed: bool | None
    fill: float
    tick: float | None


@dataclass(frozen=True, slots=True)
class CandidateView:
    """Shapes and score bars of a candidate.

    Attributes:
        is_checked: Whether a person said that all objects are right.
    """

    shapes: tuple[ObjectShape, ...]
    bars: tuple[ScoreBar, ...]
    is_checked: bool


def view_candidate(candidate: Candidate) -> CandidateView:
    """Return the shapes and score bars of a candidate."""
    shapes, bars = tuple(draw_objects(candidate)), tuple(_bars(candidate))
    return CandidateView(shapes, bars, is_checked(candidate))


def _bars(candidate: Candidate) -> Iterator[ScoreBar]:
    """Yield the scores: first those that decide the verdict, in the order of the rules."""
    order = [rule.name for rule in RULES[Origin(candidate.origin)]]
    places = {name: place for place, name in enumerate(order)}
    for score in sorted(candidate.scores, key=lambda one: places.get(one.name, len(places))):
        yield _to_bar(score)


def _to_bar(score: Score) -> ScoreBar:
    """Return a score as a bar; its length and the threshold's place are percentages."""
    full = HEADROOM * max(abs(score.value), abs(score.threshold or 0.0), 1e-9)
    required = ""
    if score.threshold is not None:
        required = f"{'at most' if score.name in AT_MOST else 'at least'} {score.threshold:g}"
    return ScoreBar(
        name=score.name,
        value=score.value,
        required=required,
        outcome={True: "passed", False: "failed", None: "not judged"}[score.passed],
        passed=score.passed,
        fill=100 * max(score.value, 0.0) / full,
        tick=None if score.threshold is None else 100 * max(score.threshold, 0.0) / full,
    )
