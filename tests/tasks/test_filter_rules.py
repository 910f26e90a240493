import pytest

from chatgenimage.db.states import Origin, Verdict
from chatgenimage.tasks import filter_rules
from chatgenimage.tasks.thresholds import FilterThresholds

THRESHOLDS = FilterThresholds(
    psnr_min_db=20,
    ssim_min=0.5,
    clip_similarity_min=0.2,
    keep_top_k=2,
    background_probability_min=0.5,
    fill_iou_min=0.5,
    label_confidence_min=0.3,
)
LIMITS = filter_rules.thresholds_of(THRESHOLDS)
CLEAN = {"brightest": 0.9, "darkest": 0.1, "contrast": 0.8, "blur": 0.3}
GOOD = {
    Origin.IMPORTED: CLEAN | {"label_confidence": 0.9, "clip_similarity": 0.3},
    Origin.GENERATED: CLEAN | {"label_confidence": 0.9, "clip_similarity": 0.3},
    Origin.EDITED: CLEAN
    | {
        "objects_kept": 1.0,
        "psnr_db": 25.0,
        "ssim": 0.8,
        "background_probability": 0.9,
        "clip_similarity": 0.3,
        "clip_rank": 1.0,
    },
    Origin.FILLED: CLEAN
    | {
        "fill_iou": 0.7,
        "objects_kept": 1.0,
        "psnr_db": 100.0,
        "ssim": 1.0,
        "seam": 3.0,
        "clip_similarity": 0.3,
        "clip_rank": 2.0,
    },
}


@pytest.mark.parametrize("origin", list(Origin))
def test_a_candidate_that_reaches_every_threshold_is_accepted(origin):
    assert filter_rules.judge(origin, GOOD[origin], LIMITS) == (Verdict.ACCEPTED, None)


@pytest.mark.parametrize(
    ("origin", "score", "bad", "reason"),
    [
        (Origin.IMPORTED, "label_confidence", 0.0, "label_not_found"),
        (Origin.GENERATED, "label_confidence", 0.0, "label_not_found"),
        (Origin.GENERATED, "clip_similarity", 0.1, "text_mismatch"),
        (Origin.EDITED, "objects_kept", 0.5, "objects_lost"),
        (Origin.EDITED, "psnr_db", 10.0, "pixels_changed"),
        (Origin.EDITED, "ssim", 0.1, "structure_changed"),
        (Origin.EDITED, "background_probability", 0.2, "background_not_recognised"),
        (Origin.EDITED, "clip_rank", 3.0, "ranked_out"),
        (Origin.FILLED, "fill_iou", 0.4, "fill_not_found"),
        (Origin.FILLED, "seam", 40.0, "seam_visible"),
        (Origin.FILLED, "objects_kept", 0.0, "objects_lost"),
    ],
)
def test_one_bad_score_is_enough_and_names_the_reason(origin, score, bad, reason):
    scores = GOOD[origin] | {score: bad}
    assert filter_rules.judge(origin, scores, LIMITS) == (Verdict.REJECTED, reason)


@pytest.mark.parametrize("origin", list(Origin))
@pytest.mark.parametrize(
    ("score", "bad", "reason"),
    [
        ("brightest", 0.1, "too_dark"),
        ("darkest", 0.97, "too_bright"),
        ("contrast", 0.02, "blank"),
        ("blur", 0.95, "blurry"),
    ],
)
def test_an_image_that_shows_nothing_is_told_so_before_what_it_does_not_show(
    origin, score, bad, reason
):
    scores = GOOD[origin] | {score: bad, "clip_similarity": 0.0, "label_confidence": 0.0}
    assert filter_rules.judge(origin, scores, LIMITS) == (Verdict.REJECTED, reason)


def test_nan_does_not_pass():
    scores = GOOD[Origin.GENERATED] | {"clip_similarity": float("nan")}
    assert filter_rules.judge(Origin.GENERATED, scores, LIMITS)[0] == Verdict.REJECTED


@pytest.mark.parametrize("scores", [{}, {"objects_kept": 1.0}], ids=["nothing", "boxes only"])
@pytest.mark.parametrize("origin", list(Origin))
def test_what_the_filter_failed_on_is_not_accepted_for_want_of_scores(origin, scores):
    verdict = filter_rules.judge(origin, scores, LIMITS)
    assert verdict == (Verdict.REJECTED, filter_rules.NOT_MEASURED)


def test_a_score_that_cannot_be_had_is_not_held_against_a_candidate():
    scores = {"clip_similarity": 0.3, "objects_kept": 1.0, "background_probability": 0.9}
    assert filter_rules.judge(Origin.EDITED, scores, LIMITS) == (Verdict.ACCEPTED, None)


def measured(candidate_id, origin, parent_id=None, **scores):
    return filter_rules.ScoredCandidate(candidate_id, origin, parent_id, GOOD[origin] | scores)


def test_what_lost_its_objects_before_it_was_measured_keeps_that_reason():
    assert filter_rules.judge(Origin.EDITED, {"objects_kept": 0.5}, LIMITS)[1] == "objects_lost"


def test_only_siblings_that_pass_everything_else_are_ranked():
    siblings = [
        measured(2, Origin.EDITED, 1, clip_similarity=0.3),
        measured(3, Origin.EDITED, 1, clip_similarity=0.9, ssim=0.0),
        measured(4, Origin.EDITED, 1, clip_similarity=0.5),
        measured(5, Origin.EDITED, 1, clip_similarity=0.4),
    ]
    judged = filter_rules.judge_siblings(siblings, LIMITS)
    assert {key: found.rank for key, found in judged.items()} == {2: 3, 3: None, 4: 1, 5: 2}
    assert judged[2].reason == "ranked_out"


def test_an_edit_falls_with_its_parent_and_a_fill_with_its_parent_s_objects():
    family = [
        measured(1, Origin.GENERATED, clip_similarity=0.1),
        measured(2, Origin.EDITED, 1),
        measured(3, Origin.FILLED, 2),
    ]
    judged = filter_rules.judge_families(family, LIMITS)
    assert [judged[key].reason for key in (1, 2, 3)] == [
        "text_mismatch",
        "parent_rejected",
        "parent_rejected",
    ]


def test_a_fill_stands_though_its_edit_was_rejected_for_anything_but_lost_objects():
    root, fill = measured(1, Origin.GENERATED), measured(3, Origin.FILLED, 2)
    dull = measured(2, Origin.EDITED, 1, background_probability=0.0)
    lost = measured(2, Origin.EDITED, 1, objects_kept=0.5)
    assert filter_rules.judge_families([root, dull, fill], LIMITS)[3].verdict == Verdict.ACCEPTED
    assert filter_rules.judge_families([root, lost, fill], LIMITS)[3].reason == "parent_rejected"


def test_the_grandchild_of_a_rejected_parent_falls_though_its_parent_has_another_reason():
    family = [
        measured(1, Origin.GENERATED, label_confidence=0.0),
        measured(2, Origin.EDITED, 1, ssim=0.0),
        measured(3, Origin.FILLED, 2),
    ]
    judged = filter_rules.judge_families(family, LIMITS)
    assert (judged[2].reason, judged[3].reason) == ("structure_changed", "parent_rejected")


def test_the_most_similar_sibling_ranks_first_and_ties_go_to_the_first_key():
    assert filter_rules.rank({7: 0.2, 3: 0.4, 5: 0.2}) == {3: 1, 7: 2, 5: 3}


DOG = ("dog", (0.0, 0.0, 10.0, 10.0))


@pytest.mark.parametrize(
    ("after", "share"),
    [
        pytest.param([("dog", (1.0, 0.0, 11.0, 10.0))], 1.0, id="still there"),
        pytest.param([("dog", (30.0, 30.0, 40.0, 40.0))], 0.0, id="somewhere else"),
        pytest.param([("cat", (0.0, 0.0, 10.0, 10.0))], 0.0, id="something else"),
        pytest.param([], 0.0, id="gone"),
    ],
)
def test_an_object_is_kept_when_it_is_found_where_it_was(after, share):
    assert filter_rules.kept_share([DOG], after, 0.5) == share


def test_one_object_found_does_not_answer_for_two():
    assert filter_rules.kept_share([DOG, DOG], [DOG], 0.5) == 0.5


def test_nothing_to_keep_is_kept():
    assert filter_rules.kept_share([], [DOG], 0.5) == 1.0


def test_the_fill_is_measured_on_the_asked_label_only():
    found = [("cat", (0.0, 0.0, 10.0, 10.0)), ("dog", (5.0, 0.0, 15.0, 10.0))]
    assert filter_rules.best_iou(DOG, found) == pytest.approx(1 / 3)
    assert filter_rules.best_iou(DOG, []) == 0.0


@pytest.mark.parametrize(
    ("description", "place"),
    [
        ("a dog and a tree on a beach", "on a beach"),
        ("a dog under the stars", "in a beach"),
        ("a beach with a dog", "in a beach"),
    ],
)
def test_a_place_keeps_its_preposition(description, place):
    assert filter_rules.find_place(description, "a beach") == place


def test_what_should_be_seen_names_each_object_once():
    assert filter_rules.expected_text(["dog", "tree", "dog"], "on a beach") == (
        "a dog and a tree on a beach"
    )
