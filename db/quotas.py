"""Quotas: requested numbers of accepted candidates, and the current numbers of each label.

A label with domains has a quota for each of them: an even share of its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, Select, func, or_, select
from sqlalchemy.orm import Session, aliased

from chatgenimage.db.models import Batch, Candidate, Label
from chatgenimage.db.states import BatchState, Verdict

_other = aliased(Batch)


@dataclass(frozen=True, slots=True)
class Quota:
    """The quota of a label, or of one domain of it, and its current numbers.

    Attributes:
        asked: Requested number of accepted candidates.
        max_images: Maximum number of images that may be generated for it.
        images: Number of images that were generated or planned.
        domain: None for a label without domains.
    """

    label_id: int
    label: str
    asked: int
    max_images: int
    accepted: int
    images: int
    domain: str | None = None

    @property
    def missing(self) -> int:
        """Return how many accepted candidates are missing."""
        return max(self.asked - self.accepted, 0)

    @property
    def title(self) -> str:
        """Return the label, with its domain if it has one."""
        return self.label if self.domain is None else f"{self.label}, {self.domain}"


def share_evenly(total: int, count: int) -> Iterator[int]:
    """Yield `count` numbers that add up to `total`; they differ by at most 1, the largest first."""
    for index in range(count):
        yield total // count + (index < total % count)


def list_quotas(session: Session, run_id: int) -> list[Quota]:
    """Return the quotas of those labels of a run that have one."""
    query = _quotas(_count(Candidate.verdict == Verdict.ACCEPTED)).where(Label.run_id == run_id)
    return [_to_quota(*row) for row in session.execute(query)]


def list_short(session: Session, run_id: int) -> list[Quota]:
    """Return the quotas that are not reached although all batches of the label are done.

    A near-duplicate counts as accepted here. Near-duplicates are found across labels when all
    batches of the run are done; until then a label's number of images may depend on itself only.
    """
    open_states = (BatchState.WAITING, BatchState.IN_FLIGHT)
    is_open = select(_other.id).where(_other.label_id == Label.id, _other.state.in_(open_states))
    is_good = or_(Candidate.verdict == Verdict.ACCEPTED, Candidate.duplicate_of_id.is_not(None))
    good = _count(is_good)
    query = (
        _quotas(good)
        .where(Label.run_id == run_id, ~is_open.exists())
        .having(good < Label.quota, func.sum(Batch.size) < Label.max_images)
    )
    found = (_to_quota(*row) for row in session.execute(query))
    return [quota for quota in found if quota.missing and quota.images < quota.max_images]


def add_batches(session: Session, run_id: int, quota: Quota, sizes: Sequence[int]) -> None:
    """Add batches to a label, after its existing ones; they are held if its first one is."""
    if not sizes:
        return
    of_label = Batch.label_id == quota.label_id
    first = session.scalar(select(func.count()).where(of_label)) or 0
    is_held = session.scalar(select(Batch.is_held).where(of_label, Batch.index == 0)) or False
    session.add_all(
        Batch(
            run_id=run_id,
            label_id=quota.label_id,
            index=index,
            size=size,
            domain=quota.domain,
            is_held=is_held,
        )
        for index, size in enumerate(sizes, start=first)
    )


def _to_quota(  # noqa: PLR0913, PLR0917  # the columns of `_quotas`
    label_id: int,
    label: str,
    asked: int,
    max_images: int,
    domains: dict[str, str] | None,
    domain: str | None,
    accepted: int,
    images: int,
) -> Quota:
    """Return a quota; that of a domain is its share of the label's."""
    if domain is not None and domains:
        position = list(domains).index(domain)
        asked = list(share_evenly(asked, len(domains)))[position]
        max_images = list(share_evenly(max_images, len(domains)))[position]
    return Quota(label_id, label, asked, max_images, accepted, images, domain)


def _count(is_counted: ColumnElement[bool]) -> ScalarSelect[int]:
    """Return a subquery that counts those candidates of a label and domain."""
    of_domain = (
        select(_other.id)
        .where(_other.label_id == Label.id, _other.domain == Batch.domain)
        .correlate(Label, Batch)
    )
    return (
        select(func.count())
        .where(Candidate.run_id == Label.run_id, Candidate.label_id == Label.id, is_counted)
        .where(or_(Batch.domain.is_(None), Candidate.batch_id.in_(of_domain)))
        .correlate(Label, Batch)
        .scalar_subquery()
    )


def _quotas(accepted: ScalarSelect[int]) -> Select[*tuple[Any, ...]]:
    """Return the query of quotas by label and domain; `accepted` counts what they have."""
    return (
        select(
            Label.id,
            Label.name,
            Label.quota,
            Label.max_images,
            Label.domains,
            Batch.domain,
            accepted,
            func.sum(Batch.size),
        )
        .join(Batch, Batch.label_id == Label.id)
        .where(Label.quota.is_not(None))
        .group_by(Label.id, Batch.domain)
        .order_by(Label.id, func.min(Batch.index))
    )
