"""Queries for candidates, by filter or by id; values that a person typed are bound parameters."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Select, and_, false, func, not_, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload
from sqlalchemy.orm.interfaces import ORMOption

from chatgenimage.db.captions import has_words, with_words
from chatgenimage.db.classes import is_asked, shows_class
from chatgenimage.db.domains import is_of_domain
from chatgenimage.db.errors import RowNotFound
from chatgenimage.db.marks import ids_marked, is_marked
from chatgenimage.db.models import (
    Candidate,
    LlmCall,
    Placement,
    Rejudging,
    Scene,
    Score,
    Step,
    VerdictChange,
    VisualAnswer,
)
from chatgenimage.db.object_conditions import ObjectFilter, each_by_index, has_objects
from chatgenimage.db.ranges import OPEN, Range, is_within
from chatgenimage.db.states import Marked, Origin, Verdict
from chatgenimage.db.verdicts import list_changes
from chatgenimage.db.visual_answers import list_answers

PAGE_ROWS = 200
FEW_ROWS = 1000
"""A condition that no more rows than this fulfil is looked up by its own index first."""

IN_ORDER = (Candidate.run_id, Candidate.label_id, Candidate.key)
"""The order of candidates: by run, by label as submitted, then by key, so that families stay
together."""


@dataclass(frozen=True, slots=True)
class CandidateFilter:
    """A filter of candidates; a field that is left empty does not restrict.

    Attributes:
        labels: Requested class names, compared without case; in a run of pictures, found ones.
        objects: Names that must all be among the annotations, compared without case.
        scores: Ranges by score name; a candidate without the score does not match.
        object_count: Least and most annotations.
        object_confidence: Range of the confidence of the objects; without names, of any object.
        object_area_px: Range of the area of their masks, in pixels.
        duplicates_of: The id of a candidate; finds its near-duplicates.
        caption_words: Prefixes; with each a word of the caption must begin, compared without case.
        domains: Domains of which the candidate's batch must have one, compared without case.
        marked: What the newest review must say.
        use_reviews: Whether a review outranks the verdict: what people find good counts as
            accepted, what they find bad as rejected; `classes` are then about corrected objects.
        classes: Exact names, as `db.classes.shows_class` compares them.
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
    object_confidence: Range = OPEN
    object_area_px: Range = OPEN
    scores: Mapping[str, Range] = field(default_factory=dict)
    duplicates_of: int | None = None
    caption_words: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    marked: Marked | None = None
    use_reviews: bool = False
    classes: tuple[str, ...] | None = None
    limit: int | None = None

    @property
    def object_filter(self) -> ObjectFilter:
        """Return the filter of objects."""
        return ObjectFilter(self.objects, self.object_confidence, self.object_area_px)


@dataclass(frozen=True, slots=True)
class CandidateDetail:
    """A candidate with its ancestors, its children, its language-model calls and its verdicts.

    Attributes:
        ancestors: From the root to the parent.
        calls: Questions to the language model for the candidate and its ancestors, in order.
        changes: How its verdict changed by refiltering, oldest first.
        answers: What a vision-language model answered about it.
    """

    candidate: Candidate
    ancestors: tuple[Candidate, ...]
    children: tuple[Candidate, ...]
    scenes: tuple[Scene, ...]
    placements: tuple[Placement, ...]
    calls: tuple[LlmCall, ...]
    changes: tuple[tuple[Rejudging, VerdictChange], ...]
    answers: tuple[VisualAnswer, ...] = ()


def iter_candidates(session: Session, wanted: CandidateFilter) -> Iterator[Candidate]:
    """Yield candidates by run, label and key, a page of rows at a time.

    Label, batch, parent, scene, placement, annotations and scores are loaded with each; any other
    relationship would cost a query per candidate.
    """
    ids = session.scalars(ids_in_order(session, wanted).execution_options(yield_per=PAGE_ROWS))
    for page in ids.partitions():
        yield from list_candidates(session, page)


def count_candidates(session: Session, wanted: CandidateFilter) -> int:
    """Return how many candidates `iter_candidates` would yield; counts up to the limit."""
    few = find_few(session, wanted)
    among = () if few is None else (Candidate.id.in_(few),)
    ids = select(Candidate.id).where(*among, *conditions(wanted)).limit(wanted.limit)
    return session.scalar(select(func.count()).select_from(ids.subquery())) or 0


def list_candidates(session: Session, candidate_ids: Sequence[int]) -> list[Candidate]:
    """Return these candidates in this order, with all that `iter_candidates` brings."""
    query = select(Candidate).where(Candidate.id.in_(candidate_ids)).options(*_loaded_with())
    found = {candidate.id: candidate for candidate in session.scalars(query)}
    return [found[candidate_id] for candidate_id in candidate_ids if candidate_id in found]


def get_candidate(session: Session, candidate_id: int) -> CandidateDetail:
    """Return a candidate with its lineage up to the root and its children.

    Raises:
        RowNotFound: If there is no such candidate.
    """
    query = select(Candidate).options(*_loaded_with())
    candidate = session.scalar(query.where(Candidate.id == candidate_id))
    if candidate is None:
        raise RowNotFound(f"no candidate {candidate_id}; `factory query` lists the candidates.")
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
    return CandidateDetail(
        candidate,
        tuple(ancestors),
        tuple(session.scalars(children)),
        tuple(session.scalars(scenes)),
        tuple(session.scalars(placements)),
        tuple(session.scalars(_calls_for([*ancestors, candidate]))),
        tuple(list_changes(session, candidate_id)),
        tuple(list_answers(session, candidate_id)),
    )


def _calls_for(line: Sequence[Candidate]) -> Select[LlmCall]:
    """Return the query for the calls of models on servers for a line of candidates."""
    batch_id = line[-1].batch_id
    of_batch = and_(Step.name == "brainstorm", LlmCall.subject_id == batch_id)
    of_line = and_(
        Step.name.in_(["imagine", "place", "label", "filter"]),
        LlmCall.subject_id.in_([one.id for one in line]),
    )
    return (
        select(LlmCall)
        .join(Step, Step.id == LlmCall.step_id)
        .where(Step.batch_id == batch_id, or_(of_batch, of_line))
        .order_by(LlmCall.id)
    )


def _loaded_with() -> tuple[ORMOption, ...]:
    return (
        joinedload(Candidate.label),
        joinedload(Candidate.batch),
        joinedload(Candidate.parent),
        joinedload(Candidate.scene),
        joinedload(Candidate.placement),
        selectinload(Candidate.annotations),
        selectinload(Candidate.scores),
        selectinload(Candidate.marks),
        selectinload(Candidate.object_reviews),
    )


def conditions(wanted: CandidateFilter) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions on a candidate; the limit is not one of them."""
    yield from _own_conditions(wanted)
    yield from _other_conditions(wanted)


def ids_in_order(session: Session, wanted: CandidateFilter) -> Select[int]:
    """Return the query for the ids, in order and up to the limit.

    Few candidates are sorted. Many are walked in order, where the first matches come early;
    SQLite has no statistics for this choice and must be kept from sorting.
    """
    query = select(Candidate.id).order_by(*IN_ORDER).limit(wanted.limit)
    few = find_few(session, wanted)
    if few is not None:
        return query.where(Candidate.id.in_(few), *conditions(wanted))
    is_walked = wanted.limit is not None and session.get_bind().dialect.name == "sqlite"
    own = _own_conditions(wanted, is_walked=is_walked)
    return query.where(*own, *_other_conditions(wanted))


def find_few(session: Session, wanted: CandidateFilter) -> Sequence[int] | None:
    """Return the ids that fulfil the rarest condition, None if they are not few."""
    for query in _each_by_its_index(wanted, session.get_bind().dialect.name):
        ids = session.scalars(query.limit(FEW_ROWS + 1)).all()
        if len(ids) <= FEW_ROWS:
            return ids
    return None


def _each_by_its_index(wanted: CandidateFilter, dialect: str) -> Iterator[Select[int]]:
    """Yield a query of ids for each condition, each answered by an index of its own."""
    own = list(_own_conditions(wanted))
    if own:
        yield select(Candidate.id).where(*own)
    yield from each_by_index(wanted.object_filter)
    for name, limits in wanted.scores.items():
        yield select(Score.candidate_id).where(*_within(name, limits))
    if wanted.marked in {Marked.GOOD, Marked.BAD}:
        yield ids_marked(wanted.marked)
    for words in wanted.caption_words:
        yield with_words(dialect, Candidate.id, Candidate.caption, words)


def _own_conditions(
    wanted: CandidateFilter, *, is_walked: bool = False
) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions on the columns of the candidate itself.

    Args:
        wanted: The filter.
        is_walked: Whether to avoid the indexes of these columns; SQLite never uses the index of a
            column in an expression. The index of the run contains the order and stays usable.
    """
    verdict: ColumnElement[str | None] = Candidate.verdict.expression
    reason: ColumnElement[str | None] = Candidate.reason.expression
    object_count: ColumnElement[int] = Candidate.object_count.expression
    if is_walked:
        verdict, reason, object_count = verdict.concat(""), reason.concat(""), object_count + 0
    for column, value in (
        (Candidate.run_id, wanted.run_id),
        (reason, wanted.reason),
        (Candidate.origin, wanted.origin),
        (Candidate.round, wanted.round),
        (Candidate.duplicate_of_id, wanted.duplicates_of),
    ):
        if value is not None:
            yield column == value
    asked = wanted.verdict if wanted.reason is None else Verdict.REJECTED
    if asked is not None:
        yield _is_held_for(asked, verdict) if wanted.use_reviews else verdict == asked
    if wanted.reason is not None and wanted.verdict not in {None, Verdict.REJECTED}:
        yield false()
    yield from is_within(object_count, wanted.object_count)


def _is_held_for(asked: Verdict, verdict: ColumnElement[str | None]) -> ColumnElement[bool]:
    """Return the condition that a review, or else the filters, gave this verdict."""
    said, denied = Marked.GOOD, Marked.BAD
    if asked is Verdict.REJECTED:
        said, denied = denied, said
    return or_(is_marked(said), and_(verdict == asked, not_(is_marked(denied))))


def _other_conditions(wanted: CandidateFilter) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions on other tables."""
    if wanted.labels:
        yield is_asked(wanted.labels)
    if wanted.classes is not None:
        yield shows_class(wanted.classes, use_reviews=wanted.use_reviews)
    if wanted.domains:
        yield is_of_domain(wanted.domains)
    if wanted.marked is not None:
        yield is_marked(wanted.marked)
    yield from has_objects(wanted.object_filter)
    for name, limits in wanted.scores.items():
        yield Candidate.scores.any(and_(*_within(name, limits)))
    for words in wanted.caption_words:
        yield has_words(Candidate.id, Candidate.caption, words)


def _within(name: str, limits: Range) -> Iterator[ColumnElement[bool]]:
    yield Score.name == name
    yield from is_within(Score.value.expression, limits)
