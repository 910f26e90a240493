"""Statistics of a run for its report and for suggested thresholds."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from chatgenimage.db.models import (
    Annotation,
    Batch,
    Candidate,
    Item,
    LlmCall,
    Placement,
    Prompt,
    Scene,
    Score,
    Step,
)
from chatgenimage.db.states import Origin, Verdict

ACCEPTED = Candidate.verdict == Verdict.ACCEPTED


@dataclass(frozen=True, slots=True)
class ScoreValues:
    """The values of one score of all candidates of one origin.

    Attributes:
        values: All measured values.
        threshold: The threshold; None if there is none.
    """

    origin: Origin
    name: str
    values: tuple[float, ...]
    threshold: float | None


@dataclass(frozen=True, slots=True)
class RunCost:
    """Time and money that a run spent.

    Attributes:
        seconds_by_step: Computing time by step name, without waiting times.
        cost: Cost of the language model, in the currency of the profile's prices.
    """

    seconds_by_step: Mapping[str, float]
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost: float
    unknown: int
    """Answers whose tokens the server did not count: what they cost is not in `cost`."""


@dataclass(frozen=True, slots=True)
class Diversity:
    """Diversity of the accepted candidates, as counts."""

    accepted: int
    prompts: int
    captions: int
    backgrounds: int
    roots: int


def count_proposals(session: Session, run_id: int) -> dict[str, int]:
    """Return how many prompts, scenes and placements the language model made."""
    of_run = Candidate.run_id == run_id
    scenes = select(func.count()).select_from(Scene)
    placements = select(func.count()).select_from(Placement)
    prompts = select(func.count()).select_from(Prompt).join(Batch, Batch.id == Prompt.batch_id)
    scenes = scenes.join(Candidate, Candidate.id == Scene.candidate_id).where(of_run)
    placements = placements.join(Candidate, Candidate.id == Placement.candidate_id).where(of_run)
    return {
        "prompts": session.scalar(prompts.where(Batch.run_id == run_id)) or 0,
        "repeated prompts": session.scalar(prompts.where(Batch.run_id == run_id, Prompt.is_repeat))
        or 0,
        "scenes": session.scalar(scenes) or 0,
        "placements": session.scalar(placements) or 0,
        "valid placements": session.scalar(placements.where(Placement.problem.is_(None))) or 0,
    }


def list_score_values(session: Session, run_id: int) -> list[ScoreValues]:
    """Return the values of every score by origin."""
    rows = session.execute(
        select(Candidate.origin, Score.name, Score.value, Score.threshold)
        .join(Candidate, Candidate.id == Score.candidate_id)
        .where(Candidate.run_id == run_id)
        .order_by(Score.id)
    )
    values: dict[tuple[str, str], list[float]] = defaultdict(list)
    thresholds: dict[tuple[str, str], float] = {}
    for origin, name, value, threshold in rows:
        values[origin, name].append(value)
        if threshold is not None:
            thresholds[origin, name] = threshold
    return [
        ScoreValues(Origin(origin), name, tuple(found), thresholds.get((origin, name)))
        for (origin, name), found in sorted(values.items())
    ]


def count_objects_per_image(session: Session, run_id: int) -> dict[int, int]:
    """Return the number of accepted candidates by their number of objects."""
    rows = session.execute(
        select(Candidate.object_count, func.count())
        .where(Candidate.run_id == run_id, ACCEPTED)
        .group_by(Candidate.object_count)
        .order_by(Candidate.object_count)
    )
    return {int(objects): count for objects, count in rows}


def count_objects_by_label(session: Session, run_id: int) -> dict[str, int]:
    """Return the number of objects by label on accepted candidates, most frequent first."""
    rows = session.execute(
        select(Annotation.label, func.count().label("found"))
        .join(Candidate, Candidate.id == Annotation.candidate_id)
        .where(Candidate.run_id == run_id, ACCEPTED)
        .group_by(Annotation.label)
        .order_by(func.count().desc(), Annotation.label)
    )
    return {str(label): count for label, count in rows}


def iter_box_shares(session: Session, run_id: int) -> Iterator[tuple[float, float]]:
    """Yield width and height of each accepted object's box, as shares of the image."""
    rows = session.execute(
        select(
            (Annotation.x_max - Annotation.x_min) / Candidate.width_px,
            (Annotation.y_max - Annotation.y_min) / Candidate.height_px,
        )
        .select_from(Annotation)
        .join(Candidate, Candidate.id == Annotation.candidate_id)
        .where(Candidate.run_id == run_id, ACCEPTED)
    )
    for width, height in rows:
        yield float(width), float(height)


def measure_diversity(session: Session, run_id: int) -> Diversity:
    """Return the numbers of different words and families among the accepted candidates."""
    accepted, prompts, captions = session.execute(
        select(
            func.count(),
            func.count(Candidate.prompt_text.distinct()),
            func.count(Candidate.caption.distinct()),
        ).where(Candidate.run_id == run_id, ACCEPTED)
    ).one()
    backgrounds = session.scalar(
        select(func.count(Scene.background.distinct()))
        .join(Candidate, Candidate.scene_id == Scene.id)
        .where(Candidate.run_id == run_id, ACCEPTED)
    )
    return Diversity(accepted, prompts, captions, backgrounds or 0, _count_roots(session, run_id))


def measure_spending(session: Session, run_id: int) -> RunCost:
    """Return the models' computing time, and the tokens and cost of the language model."""
    seconds = session.execute(
        select(Step.name, func.sum(Item.duration_s))
        .join(Step, Step.id == Item.step_id)
        .join(Batch, Batch.id == Step.batch_id)
        .where(Batch.run_id == run_id, Item.duration_s.is_not(None))
        .group_by(Step.name)
    )
    uncounted = or_(LlmCall.prompt_tokens.is_(None), LlmCall.completion_tokens.is_(None))
    calls, asked, answered, cost, unknown = session.execute(
        select(
            func.count(),
            func.coalesce(func.sum(LlmCall.prompt_tokens), 0),
            func.coalesce(func.sum(LlmCall.completion_tokens), 0),
            func.coalesce(func.sum(LlmCall.cost), 0.0),
            func.count().filter(uncounted, LlmCall.is_reused.is_(False)),
        ).where(LlmCall.run_id == run_id)
    ).one()
    by_step = {name: duration_s or 0.0 for name, duration_s in seconds}
    return RunCost(by_step, calls, asked or 0, answered or 0, float(cost), unknown)


def list_examples(session: Session, run_id: int, per_kind: int) -> dict[str, Sequence[int]]:
    """Return some candidate ids of each kind: "accepted" or a reason; labels, origins mixed."""
    kind = func.coalesce(Candidate.reason, Candidate.verdict)
    place = func.row_number().over(
        partition_by=(kind, Candidate.label_id, Candidate.origin), order_by=Candidate.id
    )
    ranked = (
        select(Candidate.id, kind.label("kind"), place.label("place"))
        .where(Candidate.run_id == run_id, Candidate.verdict.is_not(None))
        .subquery()
    )
    rows = session.execute(
        select(ranked.c.kind, ranked.c.id)
        .where(ranked.c.place <= per_kind)
        .order_by(ranked.c.kind, ranked.c.place, ranked.c.id)
    )
    examples: dict[str, list[int]] = defaultdict(list)
    for name, candidate_id in rows:
        if len(examples[name]) < per_kind:
            examples[name].append(candidate_id)
    return dict(examples)


def _count_roots(session: Session, run_id: int) -> int:
    """Return how many prompts have an accepted descendant: families, not images."""
    rows = session.execute(
        select(Candidate.label_id, Candidate.key).where(Candidate.run_id == run_id, ACCEPTED)
    )
    return len({(label_id, key.partition("/e")[0]) for label_id, key in rows})
