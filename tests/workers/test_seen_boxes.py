"""Units of the boxes that a model saw, recognised from an answer."""

import json

import numpy as np
import pytest
from structlog.testing import capture_logs

from chatgenimage.workers.llm.seen_boxes import UnitGuess, recognise_unit
from chatgenimage.workers.openai_vision import OpenAiVision
from chatgenimage.workers.server_config import OpenAiVisionConfig
from tests.loopback import KEY, Loopback, says

SQUARE = (512, 512)


@pytest.mark.parametrize(
    ("boxes", "sent_wh", "unit", "is_certain"),
    [
        ([], SQUARE, "shares", True),
        ([(0.1, 0.2, 0.5, 1.0)], SQUARE, "shares", True),
        ([(100, 100, 500, 900)], SQUARE, "thousandths", True),
        ([(100, 100, 200, 200), (0, 0, 700, 90)], SQUARE, "thousandths", True),
        ([(0, 0, 1003, 500)], SQUARE, "thousandths", True),
        ([(100, 100, 512, 400)], SQUARE, "pixels", True),
        ([(10, 10, 90, 90), (100, 300, 200, 511)], SQUARE, "pixels", True),
        ([(600, 100, 512, 400)], (640, 512), "thousandths", False),
        ([(100, 100, 200, 300)], SQUARE, "thousandths", False),
        ([(0, 0, 1500, 300)], (1536, 1024), "pixels", True),
        ([(0, 0, 300, 1020)], (1536, 1024), "pixels", True),
        ([(100, 100, 1536, 900)], (1536, 1024), "pixels", True),
        ([(100, 100, 900, 900)], (1536, 1024), "thousandths", False),
        ([(100, 100, 900, 900)], (1024, 1024), "thousandths", True),
        ([(0, 0, 1000, 900)], (1000, 4000), "thousandths", False),
        ([(0, 0, 2000, 900)], SQUARE, "pixels", False),
    ],
)
def test_the_unit_is_recognised_from_all_boxes_and_the_size(boxes, sent_wh, unit, is_certain):
    assert recognise_unit(boxes, sent_wh) == UnitGuess(unit, is_certain)


def detect(*boxes, **changes):
    objects = [{"label": "dog", "box": box} for box in boxes]
    with Loopback(says(json.dumps({"objects": objects}))) as server, capture_logs() as logs:
        config = OpenAiVisionConfig(model="seer", base_url=server.url, api_key=KEY, **changes)
        images = [np.zeros((512, 512, 3), np.uint8)] * 2
        found = OpenAiVision.load(config).detect(images, [["dog"], ["dog"]])
    return found[0], [line for line in logs if line["event"] == "box_unit_assumed"]


def test_pixels_that_reach_the_edge_stay_pixels():
    found, logs = detect([10, 10, 90, 90], [100, 300, 200, 512])
    assert [each.box_xyxy for each in found] == [(10, 10, 90, 90), (100, 300, 200, 512)]
    assert logs == []


def test_an_assumed_unit_is_logged_once_with_the_setting():
    found, [line] = detect([100, 100, 200, 300])
    assert found[0].box_xyxy == pytest.approx((51.2, 51.2, 102.4, 153.6))
    assert (line["unit"], line["boxes"]) == ("thousandths", [(100, 100, 200, 300)])
    assert "set box_unit of the family" in line["advice"]
    assert detect([100, 100, 200, 300], box_unit="thousandths")[1] == []
