import statistics

import numpy as np
import pytest

from chatgenimage.testing import CHECKS
from chatgenimage.workers import boxes
from chatgenimage.workers.interfaces import Detector
from tests.contract.checkpoints import checkpoints
from tests.contract.kinds import kinds

PROMPTED = checkpoints("grounding_dino", "grounding_dino_original")
DETECTORS = [*PROMPTED, *kinds("zero_shot_detector"), *kinds("sam3")]
LABELS = ["dog", "house", "tree", "car", "street", "city street", "forest"]


@pytest.fixture(params=DETECTORS)
def detector(request, load):
    return load(*request.param)


@pytest.mark.parametrize("check", CHECKS[Detector], ids=lambda check: check.__name__)
def test_the_contract_that_plug_ins_are_checked_by_holds(detector, check):
    check(detector)


@pytest.fixture(params=DETECTORS)
def all_found(request, load):
    """A detector without a threshold: every query gives a detection for every label."""
    return load(*request.param, box_threshold=0.0)


def test_detections_bear_asked_labels_and_lie_inside_the_image(all_found, images):
    found = all_found.detect(images, [LABELS] * 3)
    for image, detections in zip(images, found, strict=True):
        assert detections
        height, width = image.shape[:2]
        assert {detection.label for detection in detections} <= set(LABELS)
        for detection in detections:
            assert 0 <= detection.confidence <= 1
            assert boxes.clip(detection.box_xyxy, (width, height)) == detection.box_xyxy
            assert boxes.box_area(detection.box_xyxy) > 0


@pytest.mark.parametrize("checkpoint", DETECTORS)
def test_the_most_confident_comes_first_and_none_below_the_threshold(checkpoint, load, images):
    every = load(*checkpoint, box_threshold=0.0).detect(images, [LABELS] * 3)
    for detections in every:
        assert len(detections) > 1
        assert confidences(detections) == sorted(confidences(detections), reverse=True)
    threshold = statistics.median(confidence for one in every for confidence in confidences(one))
    kept = load(*checkpoint, box_threshold=threshold).detect(images, [LABELS] * 3)
    assert 0 < sum(map(len, kept)) < sum(map(len, every))
    assert min(confidence for one in kept for confidence in confidences(one)) >= threshold


def confidences(detections):
    return [detection.confidence for detection in detections]


def test_every_label_of_a_list_longer_than_a_prompt_is_asked(all_found, images):
    (detections,) = all_found.detect(images[:1], [LABELS * 5])
    assert len(detections) > 1
    assert {detection.label for detection in detections} == known(all_found, LABELS, images[0])


def known(detector, labels, image):
    return {label for label in labels if detector.detect([image], [[label]])[0]}


def test_labels_that_read_the_same_are_asked_once_under_the_first_spelling(all_found, images):
    (detections,) = all_found.detect(images[:1], [["Dog", "dog ", "DOG"]])
    (alone,) = all_found.detect(images[:1], [["Dog"]])
    assert {detection.label for detection in detections} == {"Dog"}
    assert len(detections) == len(alone)


def test_detections_are_the_same_in_any_batch(all_found, images):
    together = all_found.detect(images, [["dog"], ["car", "house"], LABELS])[1]
    (alone,) = all_found.detect(images[1:2], [["car", "house"]])
    assert together
    assert [detection.label for detection in together] == [detection.label for detection in alone]
    np.testing.assert_allclose(
        [(*detection.box_xyxy, detection.confidence) for detection in together],
        [(*detection.box_xyxy, detection.confidence) for detection in alone],
        atol=1e-2,
    )


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param([], id="none"),
        pytest.param(["", " . "], id="blank"),
        pytest.param(["犬", "☃ dog"], id="an unknown word"),
    ],
)
def test_labels_that_cannot_be_asked_find_nothing(all_found, images, labels):
    assert all_found.detect(images[:1], [labels]) == [[]]


@pytest.mark.parametrize(
    "label",
    [
        pytest.param("dog " * 200, id="longer than a prompt"),
        pytest.param("dog. car? house", id="with separators"),
    ],
)
def test_an_odd_label_is_asked_as_one(all_found, images, label):
    (detections,) = all_found.detect(images[:1], [[label, "car"]])
    assert {detection.label for detection in detections} == {label, "car"}


@pytest.mark.parametrize("checkpoint", PROMPTED)
def test_a_prompt_reads_as_the_tokenizer_writes_it(load, checkpoint):
    labels = ["dog", "city street", "tree"]
    prompter = load(*checkpoint).prompter
    (prompt,) = prompter.write(labels)
    tokenizer = prompter.tokenizer
    assert prompt.input_ids == tokenizer("dog. city street. tree.")["input_ids"]
    words = tokenizer.convert_ids_to_tokens(prompt.input_ids)
    assert [" ".join(words[span]) for span in prompt.spans.values()] == labels
