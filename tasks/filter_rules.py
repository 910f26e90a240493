"""Filter rules (section 3.5): derive a verdict with its reason from scores. Pure functions."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from chatgenimage.db.models import Annotation
from chatgenimage.db.states import Origin, Verdict
from chatgenimage.tasks.rule import ImageRule, Rule
from chatgenimage.tasks.thresholds import FilterThresholds
from chatgenimage.workers import boxes
from chatgenimage.workers.llm.english import enumerate_objects
from chatgenimage.workers.plugins import load_plugins
from chatgenimage.workers.values import BoxXyxy

LabelledBox = tuple[str, BoxXyxy]


BRIGHTEST = Rule("brightest", "too_dark")
DARKEST = Rule("darkest", "too_bright", at_most=True)
CONTRAST = Rule("contrast", "blank")
BLUR = Rule("blur", "blurry", at_most=True)
HYGIENE = (BRIGHTEST, DARKEST, CONTRAST, BLUR)
"""Rules for image quality, which do not depend on what the image should show."""

LABEL_CONFIDENCE = Rule("label_confidence", "label_not_found")
OBJECTS_KEPT = Rule("objects_kept", "objects_lost")
FILL_IOU = Rule("fill_iou", "fill_not_found")
PSNR = Rule("psnr_db", "pixels_changed")
SSIM = Rule("ssim", "structure_changed")
SEAM = Rule("seam", "seam_visible", at_most=True)
BACKGROUND = Rule("background_probability", "background_not_recognised")
DOMAIN = Rule("domain_probability", "domain_not_seen")
CLIP_SIMILARITY = Rule("clip_similarity", "text_mismatch")
CONTENT = (DOMAIN, CLIP_SIMILARITY)
SEEN_WHOLE = Rule("seen_whole", "not_plausible")
SEEN_BACKGROUND = Rule("seen_background", "wrong_background")
SEEN_COUNT = Rule("seen_count", "count_differs")
SEEN_BOXES = Rule("seen_boxes", "wrong_box")
SEEN = (SEEN_WHOLE, SEEN_BACKGROUND, SEEN_COUNT, SEEN_BOXES)
"""Rules for the answers of a vision-language model; without one these scores do not exist."""
CLIP_RANK = Rule("clip_rank", "ranked_out", at_most=True)
DUPLICATE = Rule("duplicate_similarity", "near_duplicate", at_most=True)
DERIVED = (CLIP_RANK, DUPLICATE)
"""Rules for scores that depend on which other candidates were accepted."""

OWN_RULES: dict[Origin, tuple[Rule, ...]] = {
    Origin.IMPORTED: (*HYGIENE, LABEL_CONFIDENCE, CLIP_SIMILARITY, *SEEN),
    Origin.GENERATED: (*HYGIENE, LABEL_CONFIDENCE, *CONTENT, *SEEN),
    Origin.EDITED: (OBJECTS_KEPT, *HYGIENE, PSNR, SSIM, BACKGROUND, *CONTENT, *SEEN),
    Origin.FILLED: (*HYGIENE, FILL_IOU, OBJECTS_KEPT, PSNR, SSIM, SEAM, *CONTENT, *SEEN),
}
"""Rules of the factory itself by origin, without those of `DERIVED`."""

NOT_MEASURED = "not_measured"
"""Reason of a candidate whose measurement failed."""

PARENT_REJECTED = "parent_rejected"
"""Reason, after a refilter, of candidates that would not have been made with its thresholds."""

IMAGE_MISSING = "image_missing"
"""Reason of a candidate whose file is gone; no score can change it."""

TAKEN = {rule.name: rule for rules in (*OWN_RULES.values(), DERIVED) for rule in rules}
TAKEN_REASONS = {rule.reason for rule in TAKEN.values()} | {
    NOT_MEASURED,
    PARENT_REJECTED,
    IMAGE_MISSING,
}


def _find_problem(name: str, rule: object) -> str | None:
    """Return why a plug-in's rule cannot be used; None: it can."""
    if not isinstance(rule, ImageRule):
        return f"expected an ImageRule of chatgenimage.tasks.rule, found {type(rule).__name__}"
    if rule.name != name:
        return f"its score is called {rule.name!r}; expected the name of the entry point"
    if rule.reason in TAKEN_REASONS:
        return f"the reason {rule.reason!r} is one of the factory itself"
    return None


PLUGIN_RULES = load_plugins("filter_rules", TAKEN, _find_problem)
IMAGE_RULES: tuple[ImageRule, ...] = tuple(each.value for each in PLUGIN_RULES.found.values())
"""The rules of plug-ins."""

RULES: dict[Origin, tuple[Rule, ...]] = {
    origin: (*own, *(rule for rule in IMAGE_RULES if origin in rule.origins), *DERIVED)
    for origin, own in OWN_RULES.items()
}
"""Rules by origin; the first rule that fails gives the reason."""

SCORE_NAMES = tuple(dict.fromkeys(rule.name for rules in RULES.values() for rule in rules))
REASONS = (
    *dict.fromkeys(rule.reason for rules in RULES.values() for rule in rules),
    NOT_MEASURED,
    PARENT_REJECTED,
    IMAGE_MISSING,
)

Limits = Mapping[str, float]
"""Threshold of each rule, by score name."""


@dataclass(frozen=True, slots=True)
class ScoredCandidate:
    """The values of a candidate that its verdict depends on.

    Attributes:
        scores: Measured scores, without those of `DERIVED` rules, which follow from the others.
    """

    candidate_id: int
    origin: Origin
    parent_id: int | None
    scores: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Judgement:
    """The result of comparing scores with thresholds.

    Attributes:
        rank: Rank among the siblings that pass all other rules; None for all others.
    """

    verdict: Verdict
    reason: str | None
    rank: int | None = None


def thresholds_of(thresholds: FilterThresholds) -> Limits:
    """Return the threshold of each rule, by the score's name."""
    return {
        BRIGHTEST.name: thresholds.brightest_min,
        DARKEST.name: thresholds.darkest_max,
        CONTRAST.name: thresholds.contrast_min,
        BLUR.name: thresholds.blur_max,
        LABEL_CONFIDENCE.name: thresholds.label_confidence_min,
        OBJECTS_KEPT.name: 1.0,
        FILL_IOU.name: thresholds.fill_iou_min,
        PSNR.name: thresholds.psnr_min_db,
        SSIM.name: thresholds.ssim_min,
        SEAM.name: thresholds.seam_max,
        BACKGROUND.name: thresholds.background_probability_min,
        DOMAIN.name: thresholds.domain_probability_min,
        CLIP_SIMILARITY.name: thresholds.clip_similarity_min,
        SEEN_WHOLE.name: thresholds.seen_whole_min,
        SEEN_BACKGROUND.name: thresholds.seen_background_min,
        SEEN_COUNT.name: thresholds.seen_count_min,
        SEEN_BOXES.name: thresholds.seen_boxes_min,
        CLIP_RANK.name: float(thresholds.keep_top_k),
        DUPLICATE.name: thresholds.duplicate_similarity_max,
        **{rule.name: thresholds.of_plugins.get(rule.name, rule.threshold) for rule in IMAGE_RULES},
    }


def judge(
    origin: Origin, scores: Mapping[str, float], limits: Limits
) -> tuple[Verdict, str | None]:
    """Return the verdict and, if rejected, the reason.

    A missing score (nothing to compare, such as an empty region) does not reject the candidate,
    except for the score that every measured candidate has.
    """
    for rule in RULES[origin]:
        if rule.name in scores and not rule.passes(scores[rule.name], limits[rule.name]):
            return Verdict.REJECTED, rule.reason
    if CLIP_SIMILARITY.name not in scores:
        return Verdict.REJECTED, NOT_MEASURED
    return Verdict.ACCEPTED, None


def judge_siblings(candidates: Sequence[ScoredCandidate], limits: Limits) -> dict[int, Judgement]:
    """Return each candidate's result by id; siblings that pass all other rules are ranked."""
    by_id = {candidate.candidate_id: candidate for candidate in candidates}
    judged = {key: Judgement(*judge(c.origin, c.scores, limits)) for key, c in by_id.items()}
    families: dict[tuple[int, Origin], dict[int, float]] = defaultdict(dict)
    for key, candidate in by_id.items():
        if candidate.parent_id and judged[key].verdict is Verdict.ACCEPTED:
            family = families[candidate.parent_id, candidate.origin]
            family[key] = candidate.scores[CLIP_SIMILARITY.name]
    for family in families.values():
        for key, place in rank(family).items():
            ranked = {**by_id[key].scores, CLIP_RANK.name: float(place)}
            judged[key] = Judgement(*judge(by_id[key].origin, ranked, limits), rank=place)
    return judged


def judge_families(candidates: Sequence[ScoredCandidate], limits: Limits) -> dict[int, Judgement]:
    """Return the results that a run with these limits would have given.

    Such a run would have made variations of accepted parents only, and filled only edits that kept
    their objects: all other descendants are rejected, whatever their own scores.

    Args:
        candidates: Whole families, parents before their children.
        limits: The threshold of each rule.
    """
    judged = judge_siblings(candidates, limits)
    unmade: set[int] = set()
    for candidate in candidates:
        if candidate.parent_id not in judged:
            continue
        parent = judged[candidate.parent_id]
        kept = parent.reason != OBJECTS_KEPT.reason
        varied = kept if candidate.origin is Origin.FILLED else parent.verdict is Verdict.ACCEPTED
        if varied and candidate.parent_id not in unmade:
            continue
        unmade.add(candidate.candidate_id)
        judgement = judged[candidate.candidate_id]
        if judgement.verdict is Verdict.ACCEPTED:
            judged[candidate.candidate_id] = replace(
                judgement, verdict=Verdict.REJECTED, reason=PARENT_REJECTED
            )
    return judged


def judge_duplicate(judgement: Judgement, similarity: float, limits: Limits) -> Judgement:
    """Return the result for a candidate that resembles a better kept one."""
    is_kept = DUPLICATE.passes(similarity, limits[DUPLICATE.name])
    if is_kept or judgement.verdict is Verdict.REJECTED:
        return judgement
    return replace(judgement, verdict=Verdict.REJECTED, reason=DUPLICATE.reason)


def rank(similarities: Mapping[int, float]) -> dict[int, int]:
    """Return each sibling's rank by CLIP similarity, 1 for the best (Semantic Checking).

    Of two equal ones the first given is better: callers pass them ordered by key, because ids
    depend on which was written first.
    """
    ordered = sorted(similarities, key=lambda key: -similarities[key])
    return {key: place for place, key in enumerate(ordered, start=1)}


def kept_share(
    before: Sequence[LabelledBox], after: Sequence[LabelledBox], iou_min: float
) -> float:
    """Return the share of objects that are found again in their place, in [0, 1].

    Each found object can match one object only. With no objects to keep the result is 1.
    """
    left, kept = list(after), 0
    for label, box in before:
        best = max(
            (other for other in left if other[0] == label),
            key=lambda other: boxes.iou(box, other[1]),
            default=None,
        )
        if best and boxes.iou(box, best[1]) >= iou_min:
            left.remove(best)
            kept += 1
    return kept / len(before) if before else 1.0


def certain(
    annotations: Sequence[Annotation], thresholds: FilterThresholds
) -> tuple[Annotation, ...]:
    """Return the objects with a high confidence; others cannot be counted as lost later."""
    least = thresholds.label_confidence_min
    return tuple(annotation for annotation in annotations if annotation.confidence >= least)


def best_iou(asked: LabelledBox, found: Sequence[LabelledBox]) -> float:
    """Return the best IoU of a box with the requested label and the requested box, in [0, 1]."""
    label, box = asked
    return max((boxes.iou(box, other) for name, other in found if name == label), default=0.0)


def find_place(description: str, background: str) -> str:
    """Return the background with the preposition of the description: "on a beach"."""
    found = re.search(rf"(\w+) {re.escape(background)}", description)
    return found.group(0) if found else f"in {background}"


def expected_text(labels: Sequence[str], place: str) -> str:
    """Return a description of the expected image: "a dog and a tree on a beach"."""
    unique = list(dict.fromkeys(labels))
    return f"{enumerate_objects(unique)} {place}" if unique else place
