"""The family `zero_shot_detector` finds what the library's own processors find."""

import numpy as np
import pytest
from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

from chatgenimage.workers.vision.owl import PROMPT
from tests.contract import kinds

LABELS = ["dog", "city street", "car"]
TOLERANCE = 1e-7


def library_boxes(folder, image, texts, **arguments):
    """Return boxes with scores and labels, highest score first."""
    processor = AutoProcessor.from_pretrained(folder)
    model = AutoModelForZeroShotObjectDetection.from_pretrained(folder).eval()
    inputs = processor(text=[texts], images=[image], return_tensors="pt")
    (found,) = processor.post_process_grounded_object_detection(
        model(**inputs), threshold=0.0, target_sizes=[image.shape[:2]], **arguments
    )
    rows = [
        (score.item(), LABELS[label], *box.tolist())
        for score, label, box in zip(found["scores"], found["labels"], found["boxes"], strict=True)
    ]
    return sorted(rows, key=lambda row: row[0], reverse=True)


@pytest.mark.parametrize("kind", ["owlv2", "owlvit"])
def test_owl_finds_what_its_processor_finds(load, kinds_folder, images, kind):
    folder = kinds.save("zero_shot_detector", kind, kinds_folder)
    expected = library_boxes(folder, images[1], [PROMPT.format(label) for label in LABELS])
    (found,) = load(kind, "zero_shot_detector", box_threshold=0.0).detect(images[1:2], [LABELS])
    at_patches = [row for row in expected if row[2] < row[4] and row[3] < row[5]]
    assert at_patches  # of each patch, the library names the best label only
    for score, label, *box in at_patches:
        (same,) = [
            one for one in found if one.label == label and abs(one.confidence - score) < TOLERANCE
        ]
        np.testing.assert_allclose(same.box_xyxy, np.clip(box, 0, [67, 61] * 2), atol=1e-3)


def test_omdet_finds_what_its_processor_finds(load, kinds_folder, images):
    folder = kinds.save("zero_shot_detector", "omdet", kinds_folder)
    expected = library_boxes(folder, images[1], LABELS, nms_threshold=1.0, max_num_det=18)
    (found,) = load("omdet", "zero_shot_detector", box_threshold=0.0).detect(images[1:2], [LABELS])
    np.testing.assert_allclose(
        [(one.confidence, *one.box_xyxy) for one in found],
        [(row[0], *row[2:]) for row in expected],
        atol=1e-3,
    )


def test_grounding_dino_is_the_same_in_both_families(load, images):
    settings = {"box_threshold": 0.0, "max_labels_per_prompt": 4}
    by_name = load("tiny", "grounding_dino", **settings)
    by_capability = load("grounding_dino", "zero_shot_detector", **settings)
    by_capability._model.load_state_dict(by_name._model.state_dict())  # noqa: SLF001
    assert by_capability.detect(images, [LABELS] * 3) == by_name.detect(images, [LABELS] * 3)


def test_a_label_too_long_for_owls_sentence_is_asked_alone(load):
    detector = load("owlv2", "zero_shot_detector")
    texts = {"dog", "street dog tree dog street dog", "cat " * 20}
    tokens = detector._tokens_of(texts)  # noqa: SLF001
    read = {text: detector._processor.tokenizer.decode(ids) for text, ids in tokens.items()}  # noqa: SLF001
    assert "photo" in read["dog"].replace(" ", "")
    assert "photo" not in read["street dog tree dog street dog"].replace(" ", "")
    assert {len(ids) <= 16 for ids in tokens.values()} == {True}
