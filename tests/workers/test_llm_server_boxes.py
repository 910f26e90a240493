"""Language servers as they are: boxes for new objects."""

import json

import pytest

from chatgenimage.workers.llm.openai import OpenAiLanguageModel
from chatgenimage.workers.values import ProposedObject
from tests.loopback import Loopback, says
from tests.workers.language_answers import (
    load,
)


def places(*boxes):
    found = [{"label": "cat", "box": box, "relationship": "by the dog"} for box in boxes]
    return says(json.dumps({"placements": found}))


def place(*replies, **changes):
    with Loopback(*replies) as server:
        model = load(server, **changes)
        answer = model.place_objects("a dog", [], ["cat"], 3, size_wh=(64, 64), seed=1)
    return answer, server.requests


@pytest.mark.parametrize(
    "box",
    [
        pytest.param([256, 128, 384, 320], id="pixels at 512"),
        pytest.param([0.5, 0.25, 0.75, 0.625], id="shares"),
        pytest.param([384, 320, 256, 128], id="swapped corners"),
        pytest.param([256, 128, 128, 192], id="x, y, width, height"),
    ],
)
def test_a_good_place_is_found_in_every_unit(box):
    answer, requests = place(places(box))
    assert answer.value == (ProposedObject("cat", (32.0, 16.0, 48.0, 40.0), "by the dog"),)
    assert len(requests) == 1


def test_boxes_that_cannot_be_used_are_asked_for_again_with_the_problem():
    answer, requests = place(places([1, 2, 3, 4]), places([256, 128, 384, 320]))
    assert answer.value[0].box_xyxy == (32.0, 16.0, 48.0, 40.0)
    assert "must be greater than 75" in requests[1]["messages"][-1]["content"]
    assert "must be greater than 75" in answer.exchanges[0].problem


class Memory:
    def __init__(self):
        self.kept = {}

    def recall(self, key):
        return self.kept.get(key, ())

    def remember(self, key, exchanges):
        self.kept[key] = exchanges


def test_boxes_that_stay_of_no_use_are_kept_with_their_reasons_and_not_remembered():
    memory = Memory()
    with Loopback(places([8, 16, 24, 32]), says("xyzzy")) as server:
        model = OpenAiLanguageModel.load(server.config(), memory)
        answer = model.place_objects("a dog", [], ["cat"], 3, size_wh=(64, 64), seed=1)
    assert answer.value == (ProposedObject("cat", (1.0, 2.0, 3.0, 4.0), "by the dog"),)
    assert [bool(one.problem) for one in answer.exchanges] == [False, True]
    assert memory.kept == {}
