"""Filters on images that are known to be good or bad.

The images are scenes of a small world with known content; the models are the micro checkpoints.
"""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from chatgenimage.db.states import Origin
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.tasks import filter as filter_step
from chatgenimage.tasks import filter_measures, filter_rules, label
from chatgenimage.tasks.filter_measures import FilterInput
from chatgenimage.tasks.label import LabelInput
from chatgenimage.workers import masks

SETTINGS = load_settings("micro")
CHAIN, LIMITS = SETTINGS.chain, filter_rules.thresholds_of(SETTINGS.thresholds)
RULES = {rule.name: rule for rules in filter_rules.RULES.values() for rule in rules}
BEACH, DOG_ON_BEACH = "a beach", "a dog on a beach"
HOUSE = ("house", (37.0, 28.0, 61.0, 51.0))


@pytest.fixture(scope="module")
def label_image(micro):
    """Return a function that stores pixels and labels them like the label step."""

    def label_image(pixels):
        sha256 = micro.images.put(pixels, {})
        [labels] = label.compute(micro, [LabelInput(0, sha256, CHAIN.class_list, CHAIN)])
        return sha256, labels

    return label_image


@pytest.fixture(scope="module")
def measure(micro, label_image):
    """Return a function that returns the scores of a child of a parent."""

    def measure(
        pixels,
        *,
        origin,
        parent=None,
        text=DOG_ON_BEACH,
        background=BEACH,
        asked=None,
        domain_texts=(),
    ):
        sha256, labels = label_image(pixels)
        parent_sha256, before = label_image(parent) if parent is not None else (None, None)
        rivals = [other for other in CHAIN.background_list if other != background]
        subject = FilterInput(
            candidate_id=0,
            origin=origin,
            names=("dog",),
            sha256=sha256,
            text=text,
            found=tuple(((d.label, d.box_xyxy), d.confidence) for d in labels.detections),
            rival_texts=tuple(text.replace(background, rival) for rival in rivals),
            parent_sha256=parent_sha256,
            parent_boxes=tuple((d.label, d.box_xyxy) for d in before.detections) if before else (),
            kept_rles=tuple(masks.encode(mask) for mask in before.masks) if before else (),
            asked=asked,
            iou_min=SETTINGS.thresholds.object_kept_iou_min,
            domain_texts=domain_texts,
        )
        [embedded] = filter_step.compute(micro, [subject])
        measured = filter_measures.measure(micro, subject, embedded)
        return measured.scores

    return measure


def spoil(pixels, how):
    """Return an image with one defect."""
    blurred = Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(4))
    spoilt = {
        "too_dark": pixels * 0.15,
        "too_bright": 255 - (255 - pixels) * 0.05,
        "blank": 128 + (pixels - 128.0) * 0.03,
        "blurry": np.asarray(blurred),
    }
    return spoilt[how].astype(np.uint8)


def passes(name, scores):
    return RULES[name].passes(scores[name], LIMITS[name])


@pytest.mark.parametrize("how", [rule.reason for rule in filter_rules.HYGIENE])
@pytest.mark.parametrize("name", ["dog_on_a_beach", "dog_in_a_forest", "empty_beach"])
def test_image_quality_separates_an_image_from_its_damaged_copies(measure, world, name, how):
    good = measure(world[name], origin=Origin.GENERATED)
    bad = measure(spoil(world[name], how), origin=Origin.GENERATED)
    assert all(passes(rule.name, good) for rule in filter_rules.HYGIENE)
    assert filter_rules.judge(Origin.GENERATED, bad, LIMITS)[1] == how


def test_label_confidence_tells_a_dog_from_an_empty_beach(measure, world):
    good = measure(world["dog_on_a_beach"], origin=Origin.GENERATED)
    bad = measure(world["empty_beach"], origin=Origin.GENERATED)
    assert passes("label_confidence", good)
    assert not passes("label_confidence", bad)


@pytest.mark.parametrize("wrong", ["empty_beach", "dog_in_a_forest", "car_in_a_desert"])
def test_clip_similarity_tells_what_was_asked_from_what_was_not(measure, world, wrong):
    good = measure(world["dog_on_a_beach"], origin=Origin.GENERATED)
    bad = measure(world[wrong], origin=Origin.GENERATED)
    assert passes("clip_similarity", good)
    assert bad["clip_similarity"] < good["clip_similarity"]
    if wrong == "car_in_a_desert":
        assert not passes("clip_similarity", bad)


def test_background_probability_tells_the_new_background_from_the_old(measure, world):
    parent = world["dog_in_a_forest"]
    good = measure(world["dog_on_a_beach"], origin=Origin.EDITED, parent=parent)
    bad = measure(parent, origin=Origin.EDITED, parent=parent)
    assert passes("background_probability", good)
    assert not passes("background_probability", bad)


@pytest.mark.parametrize("origin", [Origin.GENERATED, Origin.EDITED, Origin.FILLED])
@pytest.mark.parametrize("others", [("a dog on a snowy field",), ("a dog in a forest",), ()])
def test_domain_probability_tells_an_image_of_the_domain_from_others(
    measure, world, origin, others
):
    domain_texts = (DOG_ON_BEACH, *others, "a dog")
    good = measure(world["dog_on_a_beach"], origin=origin, domain_texts=domain_texts)
    bad = measure(world["dog_in_a_forest"], origin=origin, domain_texts=domain_texts)
    assert passes("domain_probability", good)
    assert not passes("domain_probability", bad)
    assert filter_rules.DOMAIN in filter_rules.RULES[origin]


def test_without_domains_no_domain_is_measured(measure, world):
    assert "domain_probability" not in measure(world["dog_on_a_beach"], origin=Origin.GENERATED)


@pytest.mark.parametrize("lost", ["empty_beach", "dog_moved_on_a_beach"])
def test_objects_kept_tells_an_edit_that_lost_its_object(measure, world, lost):
    parent = world["dog_in_a_forest"]
    assert passes(
        "objects_kept",
        measure(world["dog_on_a_beach"], origin=Origin.EDITED, parent=parent),
    )
    assert not passes("objects_kept", measure(world[lost], origin=Origin.EDITED, parent=parent))


def test_psnr_and_ssim_tell_an_object_that_was_repainted(measure, world):
    parent = world["dog_in_a_forest"]
    good = measure(world["dog_on_a_beach"], origin=Origin.EDITED, parent=parent)
    noise = np.random.default_rng(0).integers(0, 256, parent.shape, dtype=np.uint8)
    bad = measure(noise, origin=Origin.EDITED, parent=parent)
    for name in ("psnr_db", "ssim"):
        assert passes(name, good)
        assert not passes(name, bad)


@pytest.mark.parametrize("wrong", ["dog_on_a_beach", "dog_and_tree_on_a_beach"])
def test_fill_iou_tells_the_asked_object_in_its_box(measure, world, wrong):
    parent, text = world["dog_on_a_beach"], "a dog and a house on a beach"
    given = {"origin": Origin.FILLED, "parent": parent, "text": text, "asked": HOUSE}
    assert passes("fill_iou", measure(world["dog_and_house_on_a_beach"], **given))
    assert not passes("fill_iou", measure(world[wrong], **given))


def test_pixels_outside_the_filled_box_must_not_change(measure, world):
    parent, text = world["dog_on_a_beach"], "a dog and a house on a beach"
    given = {"origin": Origin.FILLED, "parent": parent, "text": text, "asked": HOUSE}
    good = measure(world["dog_and_house_on_a_beach"], **given)
    bad = measure(world["car_in_a_desert"], **given)
    for name in ("psnr_db", "ssim"):
        assert passes(name, good)
        assert not passes(name, bad)


def test_a_patch_of_another_ground_around_the_filled_object_is_seen(measure, world):
    parent, text = world["dog_on_a_beach"], "a dog and a house on a beach"
    given = {"origin": Origin.FILLED, "parent": parent, "text": text, "asked": HOUSE}
    good = world["dog_and_house_on_a_beach"]
    window = np.s_[28:51, 37:61]
    bad = good.copy()
    ground = (good[window] == parent[window]).all(axis=2, keepdims=True)
    bad[window] = np.where(ground, 255 - good[window], good[window])
    assert passes("seam", measure(good, **given))
    assert not passes("seam", measure(bad, **given))
