"""Queries of an export that run before it reads the candidates."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from chatgenimage.db.classes import classes_asked
from chatgenimage.db.marks import newest_mark
from chatgenimage.db.models import Annotation, Candidate, Label, Run
from chatgenimage.db.queries import IN_ORDER, PAGE_ROWS, CandidateFilter, conditions


@dataclass(frozen=True, slots=True)
class ExportKey:
    """The columns of a candidate that decide its split and whether an export is up to date."""

    candidate_id: int
    run_id: int
    run_seed: int
    label: str
    key: str
    parent_id: int | None
    origin: str
    verdict: str | None
    sha256: str
    caption: str | None
    created_at: float
    is_good: bool | None


def iter_export_keys(session: Session, wanted: CandidateFilter) -> Iterator[ExportKey]:
    """Yield the export key of each candidate in the order of `iter_candidates`."""
    query = (
        select(
            Candidate.id,
            Candidate.run_id,
            Run.seed,
            Label.name,
            Candidate.key,
            Candidate.parent_id,
            Candidate.origin,
            Candidate.verdict,
            Candidate.sha256,
            Candidate.caption,
            Candidate.created_at,
            newest_mark(),
        )
        .join(Label, Label.id == Candidate.label_id)
        .join(Run, Run.id == Candidate.run_id)
        .where(*conditions(wanted))
        .order_by(*IN_ORDER)
        .limit(wanted.limit)
        .execution_options(yield_per=PAGE_ROWS)
    )
    for row in session.execute(query):
        values: tuple[Any, ...] = tuple(row)
        yield ExportKey(*values)


def list_classes(session: Session, wanted: CandidateFilter) -> tuple[str, ...]:
    """Return the labels that were requested or found on the candidates, sorted.

    Of a run of pictures, all labels that it looks for were requested.
    """
    some = (
        select(Candidate.id, Candidate.run_id, Label.name)
        .join(Label, Label.id == Candidate.label_id)
        .where(*conditions(wanted))
        .order_by(*IN_ORDER)
        .limit(wanted.limit)
        .subquery()
    )
    runs = session.scalars(select(Run).where(Run.id.in_(select(some.c.run_id))))
    pictures = {run.id: asked for run in runs if (asked := classes_asked(run)) is not None}
    labels = select(some.c.name).where(some.c.run_id.not_in(pictures)).distinct()
    found = session.scalars(
        select(Annotation.label).join(some, some.c.id == Annotation.candidate_id).distinct()
    )
    return tuple(
        sorted({*session.scalars(labels), *found, *chain.from_iterable(pictures.values())})
    )


def list_runs_of(session: Session, run_ids: Collection[int]) -> list[Run]:
    """Return these runs with their labels, by id."""
    query = select(Run).where(Run.id.in_(run_ids)).options(selectinload(Run.labels))
    return list(session.scalars(query.order_by(Run.id)))
