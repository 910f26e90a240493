"""Contract checks of families that look at images: captioners, detectors, segmenters, encoders."""

import numpy as np

from chatgenimage.testing.contract import require, sample_images
from chatgenimage.workers import boxes
from chatgenimage.workers.interfaces import (
    Captioner,
    Detector,
    DetectorSegmenter,
    ImageTextEncoder,
    Segmenter,
    VisualJudge,
)
from chatgenimage.workers.values import Detection

LABELS = ("dog", "house", "tree", "car", "street", "city street", "forest")
QUESTIONS = ("Is there a dog?", "How many cars are there?", "Where is it?")
BOXES = ((4.0, 6.0, 40.0, 50.0), (0.0, 0.0, 64.0, 61.0), (30.5, 30.5, 33.0, 34.0))
TEXTS = ("a dog in a forest", "")
SAME_PX = 1e-2
SAME_COSINE = 1e-4
UNIT = 1e-5
DIFFERENT_SHARE = 0.01


def check_captions(captioner: Captioner) -> None:
    """One stripped text per image."""
    captions = captioner.caption(sample_images())
    require(len(captions) == len(sample_images()), f"{len(captions)} captions for 3 images")
    for caption in captions:
        require(isinstance(caption, str), f"expected text, found {type(caption).__name__}")
        is_line = caption == caption.strip() and "\n" not in caption
        require(is_line, f"{caption!r} has spaces around it, or several lines")


def check_captioner_is_repeatable(captioner: Captioner) -> None:
    """An image has the same caption in any batch."""
    images = sample_images()
    together = captioner.caption(images)
    alone = [captioner.caption([image])[0] for image in images]
    require(alone == together, f"alone {alone}, together {together}")


def check_captioner_without_images(captioner: Captioner) -> None:
    """No images give no captions."""
    require(captioner.caption([]) == [], "no images gave captions")


def check_answers(judge: VisualJudge) -> None:
    """One stripped text per question."""
    images = sample_images()
    answers = judge.ask(images, QUESTIONS)
    require(len(answers) == len(images), f"{len(answers)} answers to {len(images)} questions")
    for answer in answers:
        is_line = answer == " ".join(str(answer).split())
        require(is_line, f"{answer!r} is not text in one line, or has extra spaces")


def check_judge_is_repeatable(judge: VisualJudge) -> None:
    """A question has the same answer in any batch."""
    images = sample_images()
    together = judge.ask(images, QUESTIONS)
    (alone,) = judge.ask(images[1:2], QUESTIONS[1:2])
    require(together[1] == alone, f"alone {alone!r}, together {together[1]!r}")


def check_judge_without_images(judge: VisualJudge) -> None:
    """No images give no answers."""
    require(judge.ask([], []) == [], "no images gave answers")


def check_detections(detector: Detector) -> None:
    """Detections have asked labels, are inside the image, and the most confident comes first."""
    images = sample_images()
    found = detector.detect(images, [LABELS] * len(images))
    require(len(found) == len(images), f"{len(found)} lists for {len(images)} images")
    for image, detections in zip(images, found, strict=True):
        height, width = image.shape[:2]
        confidences = [one.confidence for one in detections]
        require(confidences == sorted(confidences, reverse=True), f"not in order: {confidences}")
        for one in detections:
            _check_detection(one, (width, height))


def _check_detection(found: Detection, size_wh: tuple[int, int]) -> None:
    require(found.label in LABELS, f"{found.label!r} was not asked")
    require(0 <= found.confidence <= 1, f"the confidence {found.confidence} is not in [0, 1]")
    inside = boxes.clip(found.box_xyxy, size_wh) == found.box_xyxy
    require(inside, f"the box {found.box_xyxy} is not inside {size_wh}")
    require(boxes.box_area(found.box_xyxy) > 0, f"the box {found.box_xyxy} is empty")


def check_detector_is_repeatable(detector: Detector) -> None:
    """An image has the same detections in any batch."""
    images = sample_images()
    together = detector.detect(images, [["dog"], ["car", "house"], LABELS])[1]
    (alone,) = detector.detect(images[1:2], [["car", "house"]])
    labels = [[one.label for one in found] for found in (together, alone)]
    require(labels[0] == labels[1], f"together {labels[0]}, alone {labels[1]}")
    first, second = (
        np.array([(*one.box_xyxy, one.confidence) for one in found]) for found in (together, alone)
    )
    require(np.allclose(first, second, atol=SAME_PX), "boxes differ in another batch")


def check_detector_without_labels(detector: Detector) -> None:
    """No images give no lists, and no labels find nothing."""
    require(detector.detect([], []) == [], "no images gave lists")
    require(detector.detect(sample_images()[:1], [[]]) == [[]], "no labels found something")


def check_objects_with_masks(finder: DetectorSegmenter) -> None:
    """Objects are those that `detect` returns, each with a bool mask of the image's size."""
    images = sample_images()
    found = finder.find(images, [LABELS] * len(images))
    alone = finder.detect(images, [LABELS] * len(images))
    same = [[one for one, _ in objects] for objects in found] == alone
    require(same, "`find` and `detect` return other objects")
    for image, objects in zip(images, found, strict=True):
        for _, mask in objects:
            require(mask.dtype == np.bool_, f"expected bool, found {mask.dtype}")
            require(mask.shape == image.shape[:2], f"{mask.shape} for an image {image.shape}")


def check_finder_without_labels(finder: DetectorSegmenter) -> None:
    """No images give no lists, and no labels find nothing."""
    require(finder.find([], []) == [], "no images gave lists")
    require(finder.find(sample_images()[:1], [[]]) == [[]], "no labels found something")


def check_masks(segmenter: Segmenter) -> None:
    """One bool mask of the image's size per box."""
    images = sample_images()
    masks = segmenter.segment(images, [BOXES, BOXES[:1], []])
    counts = [len(of_image) for of_image in masks]
    require(counts == [3, 1, 0], f"expected 3, 1 and 0 masks, found {counts}")
    for image, of_image in zip(images, masks, strict=True):
        for mask in of_image:
            require(mask.dtype == np.bool_, f"expected bool, found {mask.dtype}")
            require(mask.shape == image.shape[:2], f"{mask.shape} for an image {image.shape}")


def check_segmenter_is_repeatable(segmenter: Segmenter) -> None:
    """A box has the same mask in any batch."""
    images = sample_images()
    together = segmenter.segment(images, [BOXES] * 3)
    (alone,) = segmenter.segment(images[1:2], [BOXES[2:]])
    share = (together[1][2] != alone[0]).mean()
    require(share < DIFFERENT_SHARE, f"{share:.1%} of a mask differs in another batch")


def check_segmenter_without_boxes(segmenter: Segmenter) -> None:
    """No images give no lists, and no boxes no masks."""
    require(segmenter.segment([], []) == [], "no images gave lists")
    require(segmenter.segment(sample_images()[:2], [[], []]) == [[], []], "no boxes gave masks")


def check_unit_vectors(encoder: ImageTextEncoder) -> None:
    """Images and texts become float32 vectors of length 1 in one space."""
    vectors = (encoder.embed_images(sample_images()), encoder.embed_texts(TEXTS))
    widths = {one.shape[1] for one in vectors}
    require(len(widths) == 1, f"images and texts have other widths: {sorted(widths)}")
    for one, count in zip(vectors, (3, len(TEXTS)), strict=True):
        require(one.dtype == np.float32, f"expected float32, found {one.dtype}")
        require(len(one) == count, f"{len(one)} vectors for {count}")
        lengths = np.linalg.norm(one, axis=1)
        require(np.allclose(lengths, 1, atol=UNIT), f"the lengths are {lengths}, expected 1")
    scale = encoder.logit_scale.scale
    require(scale > 0, f"the logit scale is {scale}, expected a number above 0")


def check_encoder_is_repeatable(encoder: ImageTextEncoder) -> None:
    """An image or a text has the same vector in any batch."""
    images = sample_images()
    for together, alone in (
        (encoder.embed_images(images)[1], encoder.embed_images(images[1:2])[0]),
        (encoder.embed_texts(["a dog", "a cat"])[1], encoder.embed_texts(["a cat"])[0]),
    ):
        require(np.allclose(together, alone, atol=SAME_COSINE), "a vector differs in another batch")


def check_encoder_without_input(encoder: ImageTextEncoder) -> None:
    """Nothing gives an empty array of the usual width."""
    width = encoder.embed_images(sample_images()[:1]).shape[1]
    for empty in (encoder.embed_images([]), encoder.embed_texts([])):
        require(empty.shape == (0, width), f"expected {(0, width)}, found {empty.shape}")
