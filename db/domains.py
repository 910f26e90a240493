"""Domains of candidates, and the coverage of a run: accepted and requested images by domain."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from chatgenimage.db.classes import is_named
from chatgenimage.db.models import Batch, Candidate, Label
from chatgenimage.db.quotas import share_evenly
from chatgenimage.db.states import Verdict


@dataclass(frozen=True, slots=True)
class Coverage:
    """Number of images of one label in one domain.

    Attributes:
        accepted: Accepted candidates of every origin.
        wanted: Its share of the label's quota; without a quota, the number of requested images.
    """

    label: str
    domain: str
    accepted: int
    wanted: int

    @property
    def is_full(self) -> bool:
        """Return whether there are as many accepted candidates as were wanted."""
        return self.accepted >= self.wanted


def list_coverage(session: Session, run_id: int, limit: int | None = None) -> list[Coverage]:
    """Return each label and domain of a run, in order; empty for a run without domains.

    Args:
        session: To read with.
        run_id: Id of the run.
        limit: Maximum number of labels, the first ones as submitted; None is no limit.
    """
    query = select(Label.id, Label.name, Label.domains, Label.per_label, Label.quota)
    query = query.where(Label.run_id == run_id, Label.domains.is_not(None)).order_by(Label.id)
    labels = session.execute(query.limit(limit)).all()
    accepted = _count_accepted(session, run_id, [row.id for row in labels]) if labels else {}
    return [
        Coverage(name, domain, accepted.get((label_id, domain), 0), wanted)
        for label_id, name, domains, per_label, quota in labels
        for domain, wanted in _wanted(domains or {}, quota or per_label)
    ]


def is_of_domain(names: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that a candidate is of one of the domains, compared without case."""
    return Candidate.batch_id.in_(select(Batch.id).where(is_named(Batch.domain.expression, names)))


def list_domains(session: Session, run_id: int | None = None) -> list[str]:
    """Return the domains of a run, or of all runs, sorted."""
    query = select(Batch.domain).where(Batch.domain.is_not(None))
    if run_id is not None:
        query = query.where(Batch.run_id == run_id)
    return sorted(domain for domain in session.scalars(query.distinct()) if domain is not None)


def to_matrix(found: Sequence[Coverage]) -> Mapping[str, Mapping[str, Coverage | None]]:
    """Return a row for each label with a cell for each domain of any; None: not requested."""
    domains = dict.fromkeys(one.domain for one in found)
    matrix: dict[str, dict[str, Coverage | None]] = {}
    for one in found:
        matrix.setdefault(one.label, dict.fromkeys(domains))[one.domain] = one
    return matrix


def _wanted(domains: Mapping[str, str], total: int) -> Iterator[tuple[str, int]]:
    return zip(domains, share_evenly(total, len(domains)), strict=True)


def _count_accepted(
    session: Session, run_id: int, label_ids: Sequence[int]
) -> dict[tuple[int, str | None], int]:
    """Return the number of accepted candidates by label and domain."""
    first, last = min(label_ids), max(label_ids)
    rows = session.execute(
        select(Candidate.label_id, Batch.domain, func.count())
        .join(Batch, Batch.id == Candidate.batch_id)
        .where(Candidate.run_id == run_id, Candidate.verdict == Verdict.ACCEPTED)
        .where(Candidate.label_id.between(first, last))
        .group_by(Candidate.label_id, Batch.domain)
    )
    return {(label_id, domain): count for label_id, domain, count in rows}
