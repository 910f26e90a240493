"""Every question about candidates, asked by people and exporters; what a person typed is bound."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload
from sqlalchemy.orm.interfaces import ORMOption

from db.captions import has_words, with_words
from db.errors import RowNotFound
from db.models import Annotation, Candidate, Label, Placement, Scene, Score
from db.states import Origin, Verdict

PAGE_ROWS = 200
FEW_ROWS = 1000
"""What no more rows than this have is looked up by its own index, and the rest then checked."""

IN_ORDER = (Candidate.run_id, Candidate.label_id, Candidate.key)
"""How candidates come: by run, by label as submitted, families together."""

Range = tuple[float | None, float | None]
"""Least and greatest value, both inclusive; None is open."""


@dataclass(frozen=True, slots=True)
class CandidateFilter:
    """Which candidates; what is left empty does not restrict.

    Attributes:
        labels: Class names that were asked for, compared without case.
        objects: Names of which each must be among the annotations, compared without case.
        scores: Ranges by score name; a candidate without the score does not match.
        object_count: Least and most annotations.
        caption_words: With each a word of the caption must begin, compared without case.
        limit: Most candidates.
    """

    run_id: int | None = None
    labels: tuple[str, ...] = ()
    verdict: Verdict | None = None
    origin: Origin | None = None
    reason: str | None = None
    round: int | None = None
    objects: tuple[str, ...] = ()
    object_count: tuple[int | None, int | None] = (None, None)
    scores: Mapping[str, Range] = field(default_factory=dict)
    caption_words: tuple[str, ...] = ()
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """A candidate with where it came from, what was made of it, and what was proposed for it.

    Attributes:
        ancestors: From the root to the parent.
    """

    candidate: Candidate
    ancestors: tuple[Candidate, ...]
    children: tuple[Candidate, ...]
    scenes: tuple[Scene, ...]
    placements: tuple[Placement, ...]


def iter_candidates(session: Session, wanted: CandidateFilter) -> Iterator[Candidate]:
    """Yield candidates by run, label and key, a page of rows at a time.

    Label, parent, scene, placement, annotations and scores come with each; anything else would
    be a query per candidate.
    """
    query = (
        select(Candidate)
        .join(Label, Label.id == Candidate.label_id)
        .where(*conditions(wanted), *_shortcut(session, wanted))
        .options(*_told())
        .order_by(*IN_ORDER)
        .limit(wanted.limit)
        .execution_options(yield_per=PAGE_ROWS)
    )
    yield from session.scalars(query)


def count_candidates(session: Session, wanted: CandidateFilter) -> int:
    """Return how many candidates `iter_candidates` would yield; a limit bounds the counting."""
    some = (
        select(Candidate.id)
        .join(Label, Label.id == Candidate.label_id)
        .where(*conditions(wanted), *_shortcut(session, wanted))
        .limit(wanted.limit)
    )
    return session.scalar(select(func.count()).select_from(some.subquery())) or 0


def list_candidates(session: Session, candidate_ids: Sequence[int]) -> list[Candidate]:
    """Return these candidates in this order, with all that `iter_candidates` brings."""
    query = select(Candidate).where(Candidate.id.in_(candidate_ids)).options(*_told())
    found = {candidate.id: candidate for candidate in session.scalars(query)}
    return [found[candidate_id] for candidate_id in candidate_ids if candidate_id in found]


def get_candidate(session: Session, candidate_id: int) -> Story:
    """Return a candidate with its lineage up to the root and its children.

    Raises:
        RowNotFound: If there is no such candidate.
    """
    query = select(Candidate).options(*_told())
    candidate = session.scalar(query.where(Candidate.id == candidate_id))
    if candidate is None:
        raise RowNotFound(f"no candidate {candidate_id}; `factory query` lists those there are.")
    ancestors: list[Candidate] = []
    above = candidate.parent_id
    while above is not None:
        ancestors.insert(0, session.scalars(query.where(Candidate.id == above)).one())
        above = ancestors[0].parent_id
    children = query.where(Candidate.parent_id == candidate_id).order_by(Candidate.key)
    scenes = select(Scene).where(Scene.candidate_id == candidate_id).order_by(Scene.index)
    placements = (
        select(Placement).where(Placement.candidate_id == candidate_id).order_by(Placement.index)
    )
    return Story(
        candidate,
        tuple(ancestors),
        tuple(session.scalars(children)),
        tuple(session.scalars(scenes)),
        tuple(session.scalars(placements)),
    )


def _told() -> tuple[ORMOption, ...]:
    return (
        joinedload(Candidate.label),
        joinedload(Candidate.parent),
        joinedload(Candidate.scene),
        joinedload(Candidate.placement),
        selectinload(Candidate.annotations),
        selectinload(Candidate.scores),
    )


def conditions(wanted: CandidateFilter) -> Iterator[ColumnElement[bool]]:
    """Yield what a candidate joined with its label must fulfil; the limit is not among it."""
    """Yield what a candidate, joined with its label, must fulfil."""
    yield from _ownconditions(wanted)
    if wanted.labels:
        lowered = [label.lower() for label in wanted.labels]
        yield or_(Label.name.in_(wanted.labels), func.lower(Label.name).in_(lowered))
    for name in wanted.objects:
        yield Candidate.annotations.any(func.lower(Annotation.label) == name.lower())
    for name, limits in wanted.scores.items():
        yield Candidate.scores.any(and_(*_within(name, limits)))
    for words in wanted.caption_words:
        yield has_words(Candidate.id, Candidate.caption, words)


def _shortcut(session: Session, wanted: CandidateFilter) -> Iterator[ColumnElement[bool]]:
    """Yield the ids of those that fulfil the rarest condition, if they are few.

    In order, what many candidates have is met soon, and what few have only after reading all.
    SQLite keeps no statistics to tell the one from the other.
    """
    for query in _each_by_its_index(wanted):
        ids = session.scalars(query.limit(FEW_ROWS + 1)).all()
        if len(ids) <= FEW_ROWS:
            yield Candidate.id.in_(ids)
            return


def _each_by_its_index(wanted: CandidateFilter) -> Iterator[Select[tuple[int]]]:
    own = list(_ownconditions(wanted))
    if own:
        yield select(Candidate.id).where(*own)
    for name in wanted.objects:
        found = func.lower(Annotation.label) == name.lower()
        yield select(Annotation.candidate_id).where(found)
    for name, limits in wanted.scores.items():
        yield select(Score.candidate_id).where(*_within(name, limits))
    for words in wanted.caption_words:
        yield with_words(Candidate.id, Candidate.caption, words)


def _ownconditions(wanted: CandidateFilter) -> Iterator[ColumnElement[bool]]:
    least, most = wanted.object_count
    for column, value in (
        (Candidate.run_id, wanted.run_id),
        (Candidate.verdict, wanted.verdict if wanted.reason is None else Verdict.REJECTED),
        (Candidate.reason, wanted.reason),
        (Candidate.origin, wanted.origin),
        (Candidate.round, wanted.round),
    ):
        if value is not None:
            yield column == value
    if wanted.reason is not None and wanted.verdict not in {None, Verdict.REJECTED}:
        yield false()
    if least is not None:
        yield Candidate.object_count >= least
    if most is not None:
        yield Candidate.object_count <= most


def _within(name: str, limits: Range) -> Iterator[ColumnElement[bool]]:
    least, most = limits
    yield Score.name == name
    if least is not None:
        yield Score.value >= least
    if most is not None:
        yield Score.value <= most
