"""Quotas: how many more images a label gets for it, and what is told of it."""

from collections.abc import Iterator, Sequence
from math import ceil

from chatgenimage.db.models import Run
from chatgenimage.db.quotas import Quota
from chatgenimage.db.run_progress import Overview
from chatgenimage.db.states import Origin, RunState

MOST_LABELS = 10
"""So many that miss their quota are told one by one."""


def next_sizes(quota: Quota, batch_size: int) -> list[int]:
    """Return the sizes of the batches that a label gets next; none if it has its quota or its cap.

    As many images as its accepted share so far promises to need, at most as many as it has. What
    came out of a run decides, and nothing else: the same run gives the same batches again.
    """
    room = quota.max_images - quota.images
    if not quota.missing or room <= 0:
        return []
    share = quota.accepted / quota.images or 1.0
    return list(split_evenly(min(ceil(quota.missing / share), quota.images, room), batch_size))


def split_evenly(total: int, most: int) -> Iterator[int]:
    """Yield the sizes of the fewest batches of at most `most`, as alike as can be."""
    count = -(-total // most)
    for index in range(count):
        yield total // count + (index < total % count)


def tell_accepted(now: Overview, label: str) -> str:
    """Return how many of a label are accepted, of how many if it has a quota."""
    accepted = sum(now.accepted[label, origin] for origin in Origin)
    asked = next((quota.asked for quota in now.quotas if quota.label == label), None)
    return str(accepted) if asked is None else f"{accepted}/{asked}"


def tell_reasons(now: Overview, label: str) -> str:
    """Return why candidates of a label were rejected, the most frequent reason first."""
    counts = now.rejected.most_common()
    return ", ".join(f"{count} {reason}" for (name, reason), count in counts if name == label)


def tell_missed(run: Run, now: Overview) -> list[str]:
    """Return what a person should know of the quotas that a run ended without, and should do."""
    missed = [quota for quota in now.quotas if quota.missing]
    if run.state != RunState.DONE or not missed:
        return []
    lines = [_tell_label(quota, now) for quota in missed[:MOST_LABELS]]
    if len(missed) > MOST_LABELS:
        lines.append(f"quota_missed: and {len(missed) - MOST_LABELS} labels more")
    most = max(quota.max_images for quota in missed)
    advice = f"`factory thresholds {run.id}` says what other thresholds would keep"
    return [*lines, f"  {advice}; submit again with --max-images {2 * most} for more images."]


def merge_quotas(quotas: Sequence[Quota], name: str) -> tuple[Quota, ...]:
    """Return the quotas of all labels as if they were one."""
    if not quotas:
        return ()
    names = ("asked", "max_images", "accepted", "images", "batches")
    totals = {each: sum(getattr(quota, each) for quota in quotas) for each in names}
    return (Quota(label_id=0, label=name, **totals),)


def _tell_label(quota: Quota, now: Overview) -> str:
    return (
        f"quota_missed: {quota.label} has {quota.accepted} of {quota.asked} accepted after "
        f"{quota.images} generated images, of which no more than {quota.max_images} were allowed; "
        f"rejected: {tell_reasons(now, quota.label) or 'none'}"
    )
