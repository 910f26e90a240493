from dataclasses import replace

import numpy as np
import pytest

from chatgenimage.factory.gain.metrics import score_predictions
from chatgenimage.factory.gain.values import PredictedObject, Prediction, Task
from chatgenimage.workers.masks import encode
from tests.factory.gain import pictures


def found_as_known(image, *, shift=0.0, label=None, rle=True):
    """Return a prediction of an image's objects, moved to the right by a share of their width."""
    objects = []
    for known in image.objects:
        x_min, y_min, x_max, y_max = known.box_xyxy
        moved = shift * (x_max - x_min)
        box = (x_min + moved, y_min, x_max + moved, y_max)
        mask = known.rle if rle else encode(np.zeros((64, 64), np.bool_))
        objects.append(PredictedObject(label or known.label, 0.9, box, mask))
    return Prediction(tuple(objects), image.label)


def value_of(measured, metric, domain=None, label=None):
    (found,) = [
        one.value
        for one in measured
        if (one.metric, one.domain, one.label) == (metric, domain, label)
    ]
    return found


def test_perfect_predictions_have_1_and_none_have_0():
    images = pictures.pictures(6)
    for task in (Task.DETECT, Task.SEGMENT):
        perfect = score_predictions(
            task, images, [found_as_known(one) for one in images], pictures.CLASSES
        )
        nothing = score_predictions(task, images, [Prediction()] * 6, pictures.CLASSES)
        assert {one.value for one in perfect} == {1.0}
        assert {one.value for one in nothing} == {0.0}
        assert len(perfect) == len(nothing) == 6


def test_a_shift_of_a_fifth_counts_at_an_overlap_of_a_half_only():
    images = pictures.pictures(6)
    shifted = [found_as_known(one, shift=0.2) for one in images]
    measured = score_predictions(Task.DETECT, images, shifted, pictures.CLASSES)
    assert value_of(measured, "mAP50") == pytest.approx(1.0)
    assert value_of(measured, "mAP50-95") == pytest.approx(0.4)  # 0.5, 0.55, 0.6, 0.65


def test_segmentation_compares_masks_and_not_boxes():
    images = pictures.pictures(6)
    empty = [found_as_known(one, rle=False) for one in images]
    assert value_of(score_predictions(Task.DETECT, images, empty, pictures.CLASSES), "mAP50") == 1.0
    assert (
        value_of(score_predictions(Task.SEGMENT, images, empty, pictures.CLASSES), "mAP50") == 0.0
    )


def test_values_are_by_class_and_domain():
    images = [
        replace(image, domain="night" if number > 3 else "day")
        for number, image in enumerate(pictures.pictures(8))
    ]
    predictions = [
        found_as_known(image) if image.domain == "day" or image.label == "disc" else Prediction()
        for image in images
    ]
    measured = score_predictions(Task.DETECT, images, predictions, pictures.CLASSES)
    assert value_of(measured, "mAP50", "day") == 1.0
    assert value_of(measured, "mAP50", "night") == 0.5
    assert value_of(measured, "mAP50", "night", "square") == 0.0
    assert value_of(measured, "mAP50", label="disc") == 1.0
    assert 0.4 < value_of(measured, "mAP50", label="square") < 0.6


def test_accuracy_is_the_share_of_right_classes():
    images = pictures.pictures(4)
    predictions = [Prediction(label="disc")] * 4
    measured = score_predictions(Task.CLASSIFY, images, predictions, pictures.CLASSES)
    assert value_of(measured, "accuracy") == 0.5
    assert value_of(measured, "accuracy", label="disc") == 1.0
    assert value_of(measured, "accuracy", label="square") == 0.0


def test_a_class_without_an_object_in_a_domain_has_no_value_there():
    images = [replace(one, domain=one.label) for one in pictures.pictures(4)]
    predictions = [found_as_known(one) for one in images]
    measured = score_predictions(Task.DETECT, images, predictions, pictures.CLASSES)
    assert [one.label for one in measured if one.domain == "disc" and one.metric == "mAP50"] == [
        None,
        "disc",
    ]
