"""Questions about images by chat: captions, boxes and answers."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from chatgenimage.workers.errors import AnswerRefused
from chatgenimage.workers.openai_vision import OpenAiVision
from chatgenimage.workers.paid_calls import collect_calls
from chatgenimage.workers.server_config import OpenAiVisionConfig
from tests.loopback import KEY, Loopback, fails, says

WIDE = np.full((50, 100, 3), 90, np.uint8)


def load(server, memory=None, **changes):
    settings = {"model": "seer", "base_url": server.url, "api_key": KEY, "timeout_s": 60}
    return OpenAiVision.load(OpenAiVisionConfig(**{**settings, **changes}), memory)


def found(*objects):
    records = [{"label": label, "box": box} for label, box in objects]
    return says(json.dumps({"objects": records}))


def detect(*replies, labels=("dog", "tree")):
    with Loopback(*replies) as server:
        [detections] = load(server).detect([WIDE], [labels])
    return [(each.label, each.box_xyxy) for each in detections], server.requests


def test_a_caption_is_asked_for_with_the_image_and_its_call_is_reported():
    with Loopback(says(' "A dog\non a beach." ')) as server, collect_calls() as calls:
        captions = load(server, prompt_price=1e6, longest_side_px=64).caption([WIDE])
    [request] = server.requests
    image, text = request["messages"][0]["content"]
    shown = base64.b64decode(image["image_url"]["url"].removeprefix("data:image/png;base64,"))
    assert captions == ["A dog on a beach."]
    assert Image.open(io.BytesIO(shown)).size == (64, 32)
    assert "one sentence of at most 40 words" in text["text"]
    assert "response_format" not in request
    assert (calls[0].question, calls[0].cost) == ("caption", 11)
    assert isinstance(calls[0].messages[0]["content"], str)  # the ledger has no image


def test_boxes_in_thousandths_become_pixels_inside_the_image():
    objects, [request] = detect(found(("dog", [100, 200, 500, 1000]), ("Trees", [500, 0, 1000, 9])))
    assert objects == [("dog", (10.0, 10.0, 50.0, 50.0))]  # the tree's box has half a pixel
    schema = request["response_format"]["json_schema"]["schema"]
    label = schema["properties"]["objects"]["items"]["properties"]["label"]
    assert label["enum"] == ["dog", "tree"]


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ([0.1, 0.2, 0.5, 1.0], (10.0, 10.0, 50.0, 50.0)),
        ([500, 1000, 100, 200], (10.0, 10.0, 50.0, 50.0)),
        ([-5, 0, 500, 900], (0.0, 0.0, 50.0, 45.0)),
    ],
    ids=["shares", "swapped", "outside"],
)
def test_other_units_and_orders_are_read(box, expected):
    [(_, box_xyxy)], _ = detect(found(("dog", box)))
    assert box_xyxy == pytest.approx(expected)


@pytest.mark.parametrize(
    ("unit", "side_px", "box", "expected"),
    [
        ("pixels", 1024, [10, 10, 50, 50], (10.0, 10.0, 50.0, 50.0)),
        ("pixels", 64, [32, 0, 64, 32], (50.0, 0.0, 100.0, 50.0)),
        ("shares", 1024, [0, 0, 1, 2], (0.0, 0.0, 100.0, 50.0)),
        ("thousandths", 1024, [100, 200, 500, 1000], (10.0, 10.0, 50.0, 50.0)),
    ],
)
def test_the_unit_of_a_model_s_boxes_can_be_set(unit, side_px, box, expected):
    with Loopback(found(("dog", box))) as server:
        model = load(server, box_unit=unit, longest_side_px=side_px)
        [[detection]] = model.detect([WIDE], [["dog"]])
    assert detection.box_xyxy == pytest.approx(expected)
    assert model.identity.settings["box_unit"] == unit


def test_pixels_of_a_large_image_are_those_of_the_image_that_was_sent():
    large = np.full((1000, 4000, 3), 90, np.uint8)
    with Loopback(found(("dog", [500, 0, 1500, 250]))) as server:
        [[detection]] = load(server, longest_side_px=2000).detect([large], [["dog"]])
    assert detection.box_xyxy == pytest.approx((1000.0, 0.0, 3000.0, 500.0))


def test_nothing_found_is_an_answer_and_no_names_are_no_question():
    assert detect(found())[0] == []
    with Loopback(fails(500)) as server:
        assert load(server).detect([WIDE], [[]]) == [[]]


def test_unusable_boxes_are_asked_for_again_with_their_problem_and_the_image():
    objects, requests = detect(found(("cat", [1, 2, 3, 4])), found(("dog", [0, 0, 500, 500])))
    assert [label for label, _ in objects] == ["dog"]
    assert "'cat' is none of: dog, tree" in requests[1]["messages"][-1]["content"]
    assert requests[1]["messages"][0]["content"][0]["type"] == "image_url"


def test_questions_are_answered_in_order_each_about_its_image():
    def answer(request):
        return says(request["messages"][0]["content"][1]["text"].upper())

    questions = ["how many?", "is it day?", "where?"]
    with Loopback(answer) as server, collect_calls() as calls:
        answers = load(server, max_concurrency=2).ask([WIDE] * 3, questions)
    assert answers == ["HOW MANY?", "IS IT DAY?", "WHERE?"]
    assert [call.question for call in calls] == ["judgement"] * 3


def test_an_answer_that_judges_nothing_is_asked_for_again_and_then_taken():
    with Loopback(says("I'm sorry, I cannot say 10."), says("7")) as server:
        assert load(server).ask([WIDE], ["how many?"]) == ["7"]
    with Loopback(says("I'm sorry, I cannot say 10.")) as server, collect_calls() as calls:
        [answer] = load(server, prompt_price=1e6).ask([WIDE], ["how many?"])
    assert answer == ""
    assert [call.cost for call in calls] == [11, 11]  # asked twice


def test_all_questions_that_fail_at_the_same_time_are_in_the_ledger():
    filtered = says("", finish_reason="content_filter")
    settings = {"prompt_price": 1e6, "max_concurrency": 2}
    with (
        Loopback(filtered) as server,
        collect_calls() as calls,
        pytest.raises(AnswerRefused) as caught,
    ):
        load(server, **settings).ask([WIDE] * 3, ["a", "b", "c"])
    assert [call.cost for call in (*calls, *caught.value.exchanges)] == [11] * 3


def test_a_refused_image_is_refused_with_its_call():
    filtered = says("", finish_reason="content_filter")
    with Loopback(filtered) as server, pytest.raises(AnswerRefused, match="content filter") as it:
        load(server).caption([WIDE])
    assert len(it.value.exchanges) == 1
