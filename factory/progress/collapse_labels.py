"""Combine the counts of many labels, for a screen without room for each."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace

from chatgenimage.db.quotas import Quota
from chatgenimage.db.run_progress import RunOverview, StepCount


def merge_labels(counts: RunOverview, name: str) -> RunOverview:
    """Return the counts summed over all labels."""
    steps: dict[str, Counter[str]] = {}
    for count in counts.steps:
        numbers = asdict(count)
        del numbers["label"], numbers["step"]
        steps.setdefault(count.step, Counter()).update(numbers)
    return replace(
        counts,
        steps=tuple(StepCount(name, step, **numbers) for step, numbers in steps.items()),
        made=_merge(counts.made, name),
        accepted=_merge(counts.accepted, name),
        rejected=_merge(counts.rejected, name),
        quotas=merge_quotas(counts.quotas, name),
    )


def _merge(counts: Counter[tuple[str, str]], name: str) -> Counter[tuple[str, str]]:
    merged: Counter[tuple[str, str]] = Counter()
    for (_, kind), count in counts.items():
        merged[name, kind] += count
    return merged


def merge_quotas(quotas: Sequence[Quota], name: str) -> tuple[Quota, ...]:
    """Return the quotas summed over all labels."""
    if not quotas:
        return ()
    names = ("asked", "max_images", "accepted", "images")
    totals = {each: sum(getattr(quota, each) for quota in quotas) for each in names}
    return (Quota(label_id=0, label=name, **totals),)
