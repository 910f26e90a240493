"""Quotas in words: accepted images per label, and why a quota was missed."""

from chatgenimage.db.models import Run
from chatgenimage.db.quotas import Quota
from chatgenimage.db.run_progress import RunOverview
from chatgenimage.db.states import Origin, RunState
from chatgenimage.factory.commands import spell

MOST_LABELS = 10
"""Most labels that are listed one by one."""


def format_accepted(now: RunOverview, label: str) -> str:
    """Return a label's number of accepted images, with its quota if it has one."""
    accepted = sum(now.accepted[label, origin] for origin in Origin)
    asked = [quota.asked for quota in now.quotas if quota.label == label]
    return f"{accepted}/{sum(asked)}" if asked else str(accepted)


def format_reasons(now: RunOverview, label: str) -> str:
    """Return a label's rejection reasons with counts, most frequent first."""
    counts = now.rejected.most_common()
    return ", ".join(f"{count} {reason}" for (name, reason), count in counts if name == label)


def list_missed(run: Run, now: RunOverview) -> list[str]:
    """Return lines about a finished run's missed quotas, and what to do."""
    missed = [quota for quota in now.quotas if quota.missing]
    if run.state != RunState.DONE or not missed:
        return []
    lines = [_describe_label(quota, now) for quota in missed[:MOST_LABELS]]
    if len(missed) > MOST_LABELS:
        lines.append(f"quota_missed: and {len(missed) - MOST_LABELS} more")
    most = max(quota.max_images for quota in missed)
    advice = f"`{spell('thresholds', run.id)}` shows what other thresholds would keep"
    return [*lines, f"  {advice}; submit again with --max-images {2 * most} for more images."]


def _describe_label(quota: Quota, now: RunOverview) -> str:
    return (
        f"quota_missed: {quota.title} has {quota.accepted} of {quota.asked} accepted after "
        f"{quota.images} generated images (limit {quota.max_images}); "
        f"rejected: {format_reasons(now, quota.label) or 'none'}"
    )
