"""Candidates and runs as plain JSON values, for programs."""

from dataclasses import asdict
from typing import Any

from sqlalchemy.orm import Session

from chatgenimage.db.addresses import show_address
from chatgenimage.db.domains import list_coverage
from chatgenimage.db.images import ImageStore
from chatgenimage.db.models import Placement, Rejudging, Run, VerdictChange
from chatgenimage.db.queries import CandidateDetail
from chatgenimage.db.quotas import Quota
from chatgenimage.db.run_problems import find_problems
from chatgenimage.db.run_progress import count_label_steps, overview
from chatgenimage.db.runs import (
    count_funnel,
    count_funnel_by_label,
    list_images_asked,
    list_quarantined,
)
from chatgenimage.db.spending import spending
from chatgenimage.factory.problems import problems_record
from chatgenimage.factory.query.rows import AnnotationRow, CandidateRow
from chatgenimage.factory.settings.model import Settings

SCENE = ("background", "objects", "description")
SCORE = ("name", "value", "threshold", "passed")
MARK = ("created_at", "author", "is_good")
STEP = ("label", "step", "waiting", "running", "done", "quarantined")
STAGE = ("origin", "made", "accepted", "rejected")
QUOTA = ("label", "domain", "asked", "accepted", "missing", "images", "max_images")
CALL = (
    *("question", "model", "messages", "answer", "thoughts"),
    *("prompt_tokens", "completion_tokens", "cost", "problem"),
)
"""Attributes of a row that its record has, under the same names."""


def detail_record(detail: CandidateDetail, images: ImageStore) -> dict[str, Any]:
    """Return everything that is stored about a candidate."""
    candidate = detail.candidate
    return CandidateRow.of(candidate, images).to_record() | {
        "size_wh": [candidate.width_px, candidate.height_px],
        "created_at": candidate.created_at,
        "model": candidate.model,
        "labelled_by": candidate.labelled_by,
        "scene": candidate.scene and _fields(candidate.scene, *SCENE),
        "placement": candidate.placement and _placement(candidate.placement),
        "scores": [_fields(score, *SCORE) for score in candidate.scores],
        "annotations": [AnnotationRow.of(one).to_record() for one in candidate.annotations],
        "ancestors": [CandidateRow.of(one, images).to_record() for one in detail.ancestors],
        "children": [CandidateRow.of(one, images).to_record() for one in detail.children],
        "imagined": [_fields(scene, *SCENE) for scene in detail.scenes],
        "proposed": [_placement(placement) for placement in detail.placements],
        "asked": [_fields(call, *CALL) for call in detail.calls],
        "marks": [_fields(mark, *MARK) for mark in candidate.marks],
        "judged_again": [_change(*change) for change in detail.changes],
    }


def run_record(session: Session, run: Run, settings: Settings) -> dict[str, Any]:
    """Return the progress of a run and the results of its candidates.

    A run may have 100,000 labels, so no row object is made for each of them.
    """
    now = overview(session, run.id, by_label=False)
    return {
        "run": run.id,
        "state": run.state,
        "pause_reason": run.pause_reason,
        "language": asdict(spending(session, run)),
        "mode": run.mode,
        "seed": run.seed,
        "profile": run.profile.get("profile"),
        "created_at": run.created_at,
        "finished_at": run.finished_at,
        "labels": list_images_asked(session, run.id),
        "quotas": [quota_record(quota) for quota in now.quotas],
        "coverage": [asdict(cell) for cell in list_coverage(session, run.id)],
        "batches": {
            "waiting": now.batches_waiting,
            "in_flight": now.batches_in_flight,
            "done": now.batches_done,
            "cancelled": now.batches_cancelled,
        },
        "steps": [_fields(count, *STEP) for count in count_label_steps(session, run.id)],
        "funnel": [_fields(stage, *STAGE) for stage in count_funnel(session, run.id)],
        "funnel_by_label": {
            label: [_fields(stage, *STAGE) for stage in stages]
            for label, stages in count_funnel_by_label(session, run.id).items()
        },
        "problems": problems_record(find_problems(session, run.id)),
        "quarantined": [asdict(item) for item in list_quarantined(session, run.id)],
        "images": show_address(settings.resolved_image_store_url()),
    }


def quota_record(quota: Quota) -> dict[str, Any]:
    """Return how far a label is from its quota."""
    return _fields(quota, *QUOTA)


def _fields(row: object, *names: str) -> dict[str, Any]:
    """Return attributes by name; `asdict`, which copies deeply, takes ten times as long."""
    return {name: getattr(row, name) for name in names}


def _change(made: Rejudging, change: VerdictChange) -> dict[str, Any]:
    return {
        **_fields(made, "created_at", "author"),
        "thresholds": made.limits,
        **_fields(change, "verdict_before", "reason_before", "verdict_after", "reason_after"),
    }


def _placement(placement: Placement) -> dict[str, Any]:
    return {
        "label": placement.label,
        "box_xyxy": list(placement.box_xyxy),
        "relationship": placement.relationship_text,
        "problem": placement.problem,
    }
