"""What a candidate, its story and a run look like to a program: plain JSON values."""

from dataclasses import asdict
from typing import Any

from sqlalchemy.orm import Session

from chatgenimage.db.images import ImageStore
from chatgenimage.db.models import (
    Annotation,
    Candidate,
    LlmCall,
    Mark,
    Placement,
    Rejudging,
    Run,
    Scene,
    VerdictChange,
)
from chatgenimage.db.queries import Story
from chatgenimage.db.quotas import Quota
from chatgenimage.db.run_progress import overview
from chatgenimage.db.runs import count_funnel, count_funnel_by_label, list_quarantined
from chatgenimage.db.spending import spending
from chatgenimage.factory.settings.model import Settings


def candidate_record(candidate: Candidate, images: ImageStore) -> dict[str, Any]:
    """Return a candidate in one flat row."""
    return {
        "id": candidate.id,
        "run": candidate.run_id,
        "label": candidate.label.name,
        "key": candidate.key,
        "origin": candidate.origin,
        "round": candidate.round,
        "verdict": candidate.verdict,
        "reason": candidate.reason,
        "duplicate_of": candidate.duplicate_of_id,
        "mark": candidate.mark,
        "parent": candidate.parent_id,
        "seed": candidate.seed,
        "prompt": candidate.prompt_text,
        "caption": candidate.caption,
        "source_name": candidate.source_name,
        "objects": [annotation.label for annotation in candidate.annotations],
        "scores": {score.name: score.value for score in candidate.scores},
        "image": images.path_of(candidate.sha256),
    }


def story_record(story: Story, images: ImageStore) -> dict[str, Any]:
    """Return all that is known of a candidate."""
    candidate = story.candidate
    return candidate_record(candidate, images) | {
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
        "annotations": [_annotation(annotation) for annotation in candidate.annotations],
        "ancestors": [candidate_record(ancestor, images) for ancestor in story.ancestors],
        "children": [candidate_record(child, images) for child in story.children],
        "imagined": [_scene(scene) for scene in story.scenes],
        "proposed": [_placement(placement) for placement in story.placements],
        "asked": [_call(call) for call in story.calls],
        "marks": [_mark(mark) for mark in candidate.marks],
        "judged_again": [_change(*change) for change in story.changes],
    }


def run_record(session: Session, run: Run, settings: Settings) -> dict[str, Any]:
    """Return how far a run has come and what became of its candidates."""
    now = overview(session, run.id)
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
        "labels": {label.name: label.per_label for label in run.labels},
        "quotas": [quota_record(quota) for quota in now.quotas],
        "batches": {
            "waiting": now.batches_waiting,
            "in_flight": now.batches - now.batches_waiting - now.batches_done,
            "done": now.batches_done,
        },
        "steps": [asdict(count) for count in now.steps],
        "funnel": [asdict(stage) for stage in count_funnel(session, run.id)],
        "funnel_by_label": {
            label: [asdict(stage) for stage in stages]
            for label, stages in count_funnel_by_label(session, run.id).items()
        },
        "quarantined": [asdict(item) for item in list_quarantined(session, run.id)],
        "images": settings.resolved_image_store_url(),
    }


def quota_record(quota: Quota) -> dict[str, Any]:
    """Return how far a label is from its quota."""
    return {
        "label": quota.label,
        "asked": quota.asked,
        "accepted": quota.accepted,
        "missing": quota.missing,
        "images": quota.images,
        "max_images": quota.max_images,
    }


def _annotation(annotation: Annotation) -> dict[str, Any]:
    return {
        "label": annotation.label,
        "confidence": annotation.confidence,
        "box_xyxy": list(annotation.box_xyxy),
        "area_px": annotation.area_px,
        "rle": annotation.rle,
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
