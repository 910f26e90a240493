"""Scenes and placements, read from the forms in which models write them."""

import json

import pytest

from chatgenimage.workers.errors import AnswerRefused
from chatgenimage.workers.llm.parsing import (
    parse_placements,
    parse_scenes,
)
from chatgenimage.workers.values import ImaginedScene, ProposedObject
from tests.workers.known_answers import BEACH, BEACH_JSON, CAT, CAT_JSON


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(json.dumps({"scenes": [BEACH_JSON]}), id="the schema"),
        pytest.param(json.dumps([BEACH_JSON]), id="a list"),
        pytest.param(json.dumps(BEACH_JSON), id="an object"),
        pytest.param(json.dumps({"scene 1": BEACH_JSON}), id="named"),
        pytest.param(f"```python\n{[BEACH_JSON]}\n```", id="fenced Python"),
        pytest.param(
            "'background':['a beach'], 'objects':['dog', 'umbrella'], "
            "'description':['A dog sits under an umbrella.']",
            id="the paper's format",
        ),
        pytest.param(
            "1. 'background': 'a beach', 'objects': [dog, umbrella], "
            "'description': 'A dog sits under an umbrella.'",
            id="the paper's format, loosely",
        ),
        pytest.param(
            "Background: a beach\nObjects: dog, umbrella\n"
            "Description: A dog sits under an umbrella.",
            id="lines",
        ),
        pytest.param(
            '{"background": ["a beach."], "objects": [["dog", "umbrella"]], '
            '"description": ["A dog sits under an umbrella."],}',
            id="parallel lists of one",
        ),
    ],
)
def test_a_scene_is_read_from_every_usual_form(text):
    (scene,) = parse_scenes(text, ["dog"], 1)
    assert scene.background == BEACH.background
    assert scene.objects == BEACH.objects
    assert scene.description.rstrip(".") == BEACH.description.rstrip(".")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            "{'background': ['a beach', 'a forest'], 'objects': [['dog', 'sea'], ['dog', 'fern']], "
            "'description': ['one', 'two']}",
            id="parallel lists",
        ),
        pytest.param(
            "Scene 1:\n'background':['a beach'], 'objects':['dog', 'sea'], 'description':['one']\n"
            "Scene 2:\n'background':['a forest'], 'objects':['dog', 'fern'], 'description':['two']",
            id="numbered, in the paper's format",
        ),
        pytest.param(
            "[{'background':['a beach'], 'objects':['dog', 'sea'], 'description':['one']}, "
            "{'background':['a forest'], 'objects':['dog', 'fern'], 'description':['two']}]",
            id="a list in the paper's format",
        ),
    ],
)
def test_several_scenes_are_read_in_order(text):
    assert parse_scenes(text, ["dog"], 2) == (
        ImaginedScene("a beach", ("dog", "sea"), "one"),
        ImaginedScene("a forest", ("dog", "fern"), "two"),
    )


def test_existing_objects_come_first_even_if_the_model_forgot_one():
    text = json.dumps([{**BEACH_JSON, "objects": ["Umbrella", "Dog", "umbrella"]}])
    (scene,) = parse_scenes(text, ["tree", "dog"], 1)
    assert scene.objects == ("tree", "dog", "Umbrella")


def test_an_apostrophe_does_not_end_a_text():
    text = "'background':['a beach'], 'objects':['dog'], 'description':['The dog's ball is here']"
    (scene,) = parse_scenes(text, ["dog"], 1)
    assert scene.description == "The dog's ball is here"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("Lovely weather today.", "holds no background", id="nonsense"),
        pytest.param('{"scenes": []}', "expected 2 scenes, found 0", id="none"),
        pytest.param(
            '{"scenes": [{"place": "x"}]}', "no list 'scenes' of objects", id="other keys"
        ),
        pytest.param(json.dumps([{"background": "x"}] * 2), "'objects'", id="no objects"),
        pytest.param(json.dumps([{**BEACH_JSON, "objects": [1]}] * 2), "'objects'", id="numbers"),
        pytest.param(json.dumps([{**BEACH_JSON, "description": ""}] * 2), "'descr", id="no text"),
        pytest.param(
            json.dumps([{**BEACH_JSON, "background": "x" * 101}] * 2), "phrase", id="long"
        ),
        pytest.param(json.dumps([BEACH_JSON] * 2)[:-20], "cut short in 'desc", id="half JSON"),
    ],
)
def test_scenes_that_are_none_are_refused_with_a_reason(text, reason):
    with pytest.raises(AnswerRefused, match=reason):
        parse_scenes(text, ["dog"], 2)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(json.dumps({"placements": [CAT_JSON]}), id="the schema"),
        pytest.param(json.dumps(CAT_JSON), id="an object"),
        pytest.param(f"```\n{[CAT_JSON]}\n```", id="fenced Python"),
        pytest.param(
            '"label": \'cat\', "box": [343.23, 176.29, 467.23, 353.13], '
            "\"relationship\": 'sitting next to the dog.'",
            id="the paper's format",
        ),
        pytest.param(
            "1. label: Cat; box: 343.23, 176.29, 467.23, 353.13; "
            "relationship: sitting next to the dog.",
            id="loosely",
        ),
        pytest.param(
            '"label": "cat"; "box": "[343.23, 176.29, 467.23, 353.13]"; '
            '"relationship": "sitting next to the dog"',
            id="semicolons and a box in quotes",
        ),
    ],
)
def test_a_placement_is_read_from_every_usual_form(text):
    assert parse_placements(text, ["dog", "cat"], 1) == (CAT,)


def test_several_placements_are_read_and_those_too_many_left_out():
    line = '"label": \'cat\', "box": [1, 2, 3, 4], "relationship": \'here\''
    numbered = "\n".join(f"{number}. {line}" for number in (1, 2, 3))
    assert parse_placements(numbered, ["cat"], 2) == (
        (ProposedObject("cat", (1.0, 2.0, 3.0, 4.0), "here"),) * 2
    )


def test_no_placement_is_an_answer():
    assert parse_placements('{"placements": []}', ["cat"], 2) == ()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"label": "zebra"}, "'zebra' is none of: dog, cat", id="another object"),
        pytest.param({"box": [1, 2, 3]}, "4 numbers", id="three numbers"),
        pytest.param({"box": [1, 2, 3, None]}, "4 numbers", id="null"),
        pytest.param({"box": ["a", "b", "c", "d"]}, "4 numbers", id="words"),
        pytest.param({"box": [1, 2, 3, float("nan")]}, "finite", id="not a number"),
        pytest.param({"box": [1, 2, 3, float("inf")]}, "finite", id="infinite"),
        pytest.param({"box": {"x": 1}}, "4 numbers", id="a mapping"),
        pytest.param({"relationship": " "}, "'relationship'", id="no relationship"),
        pytest.param({"relationship": 3}, "'relationship'", id="a number"),
    ],
)
def test_placements_that_are_none_are_refused_with_a_reason(changes, reason):
    with pytest.raises(AnswerRefused, match=reason):
        parse_placements(json.dumps([{**CAT_JSON, **changes}]), ["dog", "cat"], 1)
