"""Candidates and runs as plain JSON values, for programs."""

from dataclasses import asdict
from typing import Any

from sqlalchemy.orm import Session

from chatgenimage.db.addresses import show_address
from chatgenimage.db.domains import list_coverage
from chatgenimage.db.images import ImageStore
from chatgenimage.db.models import (
    LlmCall,
    Mark,
    Placement,
    Rejudging,
    Run,
    Scene,
    VerdictChange,
)
from chatgenimage.db.queries import CandidateDetail
from chatgenimage.db.quotas import Quota
from chatgenimage.db.run_problems import find_problems
from chatgenimage.db.run_progress import StepCount, count_label_steps, overview
from chatgenimage.db.runs import (
    FunnelStage,
    count_funnel,
    count_funnel_by_label,
    list_images_asked,
    list_quarantined,
)
from chatgenimage.db.spending import spending
from chatgenimage.factory.problems import problems_record
from chatgenimage.factory.query.rows import AnnotationRow, CandidateRow
from chatgenimage.factory.settings.model import Settings


def detail_record(detail: CandidateDetail, images: ImageStore) -> dict[str, Any]:
    """Return everything that is stored about a candidate."""
    candidate = detail.candidate
    return CandidateRow.of(candidate, images).to_record() | {
        "size_wh": [candidate.width_px, candidate.height_px],
        "created_at": candidate.created_at,
        "model": candidate.model,
        "labelled_by": candidate.labelled_by,
        "scene": candidate.scene and _scene(candidate.scene),
        "placement": candidate.placement and _placement(candidate.placement),
        "scores": [
            {
                "name": score.name,
                "value": score.value,
                "threshold": score.threshold,
                "passed": score.passed,
            }
            for score in candidate.scores
        ],
        "annotations": [AnnotationRow.of(one).to_record() for one in candidate.annotations],
        "ancestors": [CandidateRow.of(one, images).to_record() for one in detail.ancestors],
        "children": [CandidateRow.of(one, images).to_record() for one in detail.children],
        "imagined": [_scene(scene) for scene in detail.scenes],
        "proposed": [_placement(placement) for placement in detail.placements],
        "asked": [_call(call) for call in detail.calls],
        "marks": [_mark(mark) for mark in candidate.marks],
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
        "steps": [_step(count) for count in count_label_steps(session, run.id)],
        "funnel": [_stage(stage) for stage in count_funnel(session, run.id)],
        "funnel_by_label": {
            label: [_stage(stage) for stage in stages]
            for label, stages in count_funnel_by_label(session, run.id).items()
        },
        "problems": problems_record(find_problems(session, run.id)),
        "quarantined": [asdict(item) for item in list_quarantined(session, run.id)],
        "images": show_address(settings.resolved_image_store_url()),
    }


def quota_record(quota: Quota) -> dict[str, Any]:
    """Return how far a label is from its quota."""
    return {
        "label": quota.label,
        "domain": quota.domain,
        "asked": quota.asked,
        "accepted": quota.accepted,
        "missing": quota.missing,
        "images": quota.images,
        "max_images": quota.max_images,
    }


def _step(count: StepCount) -> dict[str, Any]:
    """Return the fields; `asdict`, which copies them deeply, takes ten times as long."""
    return {
        "label": count.label,
        "step": count.step,
        "waiting": count.waiting,
        "running": count.running,
        "done": count.done,
        "quarantined": count.quarantined,
    }


def _stage(stage: FunnelStage) -> dict[str, Any]:
    return {
        "origin": stage.origin,
        "made": stage.made,
        "accepted": stage.accepted,
        "rejected": stage.rejected,
    }


def _call(call: LlmCall) -> dict[str, Any]:
    return {
        "question": call.question,
        "model": call.model,
        "messages": call.messages,
        "answer": call.answer,
        "thoughts": call.thoughts,
        "prompt_tokens": call.prompt_tokens,
        "completion_tokens": call.completion_tokens,
        "cost": call.cost,
        "problem": call.problem,
    }


def _change(made: Rejudging, change: VerdictChange) -> dict[str, Any]:
    return {
        "created_at": made.created_at,
        "author": made.author,
        "thresholds": made.limits,
        "verdict_before": change.verdict_before,
        "reason_before": change.reason_before,
        "verdict_after": change.verdict_after,
        "reason_after": change.reason_after,
    }


def _mark(mark: Mark) -> dict[str, Any]:
    return {"created_at": mark.created_at, "author": mark.author, "is_good": mark.is_good}


def _scene(scene: Scene) -> dict[str, Any]:
    return {
        "background": scene.background,
        "objects": scene.objects,
        "description": scene.description,
    }


def _placement(placement: Placement) -> dict[str, Any]:
    return {
        "label": placement.label,
        "box_xyxy": list(placement.box_xyxy),
        "relationship": placement.relationship_text,
        "problem": placement.problem,
    }
