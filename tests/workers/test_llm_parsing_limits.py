"""Answers that are cut, nested, endless or nearly JSON: read or refused, and never a crash."""

import contextlib
import json
import time

import pytest

from chatgenimage.workers.errors import AnswerRefused
from chatgenimage.workers.llm.parsing import (
    parse_features,
    parse_placements,
    parse_prompts,
    parse_scenes,
)
from tests.workers.known_answers import BEACH, BEACH_JSON, CAT, CAT_JSON

ONE = "A dog on a sunny beach"


@pytest.mark.parametrize("cut", range(1, 60))
def test_a_cut_answer_is_refused_or_read_and_never_crashes(cut):
    for text in (json.dumps({"scenes": [BEACH_JSON]}), str([CAT_JSON]), "'background':['a beach']"):
        for parse in (
            lambda text: parse_scenes(text, ["dog"], 1),
            lambda text: parse_placements(text, ["cat"], 1),
            lambda text: parse_prompts(text, "dog", 1),
            parse_features,
        ):
            with contextlib.suppress(AnswerRefused):
                assert parse(text[:-cut]) is not None


def test_deep_nesting_is_refused():
    with pytest.raises(AnswerRefused):
        parse_scenes("[" * 100_000, [], 1)


def test_what_can_be_used_is_kept_where_some_cannot():
    assert parse_prompts(f"1. {ONE}\n2. A lonely beach", "dog", 2) == (ONE,)
    bad_scene, bad_box = {**BEACH_JSON, "objects": [1]}, {**CAT_JSON, "box": "here"}
    assert parse_scenes(json.dumps({"scenes": [bad_scene, BEACH_JSON]}), ["dog"], 2) == (BEACH,)
    assert parse_placements(json.dumps([bad_box, CAT_JSON]), ["cat"], 2) == (CAT,)


@pytest.mark.parametrize("note", ['"as asked"', "[1, 2]", '["some", "texts"]', "null", "{}"])
def test_the_key_that_was_asked_for_is_taken_whatever_stands_next_to_it(note):
    def with_note(name, value):
        return f'{{"note": {note}, "{name}": {json.dumps(value)}, "Reasoning": {note}}}'

    assert parse_features(with_note("features", ["golden fur", "floppy ears"])) == (
        "golden fur",
        "floppy ears",
    )
    assert parse_prompts(with_note("Prompts", [{"prompt": ONE, "style": "photo"}]), "dog", 1) == (
        ONE,
    )
    assert parse_scenes(with_note("scenes", [BEACH_JSON | {"mood": "calm"}]), ["dog"], 1) == (
        BEACH,
    )
    assert parse_placements(with_note("placements", [CAT_JSON]), ["cat"], 1) == (CAT,)


def test_valid_json_is_never_scanned_loosely():
    """The scanner would take all that follows a text for the text."""
    text = json.dumps({"scenes": [BEACH_JSON], "note": "as asked"})
    (scene,) = parse_scenes(text, ["dog"], 1)
    assert scene.description == BEACH.description


def test_objects_one_after_another_are_a_list():
    lines = "\n".join([json.dumps(BEACH_JSON | {"note": "x"})] * 2)
    assert parse_scenes(lines, ["dog"], 2) == (BEACH, BEACH)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            "{\u201cfeatures\u201d: [\u201cgolden fur\u201d, \u201cfloppy ears\u201d]}", id="curly"
        ),
        pytest.param(
            '{"features": [ // two of them\n"golden fur", /* and */ "floppy ears",]}', id="comments"
        ),
        pytest.param('{"features": ["golden\nfur", "floppy\tears"]}', id="raw line break"),
        pytest.param('{"features": ["golden\x00 fur", "floppy \\u0000ears\\ud800"]}', id="zero"),
        pytest.param('{"features": ["golden \\u001b[31mfur", "floppy ears"]}', id="escape"),
    ],
)
def test_nearly_json_is_read_and_every_text_can_be_stored(text):
    features = parse_features(text)
    assert [" ".join(feature.replace("[31m", "").split()) for feature in features] == [
        "golden fur",
        "floppy ears",
    ]
    assert not any(set("\x00\x1b\ud800") & set(feature) for feature in features)


def test_what_looks_like_a_comment_in_a_text_stays():
    text = '{"features": ["see http://a.example/b", "a /* b */ c",], }'
    assert parse_features(text) == ("see http://a.example/b", "a /* b */ c")


@pytest.mark.parametrize("start", ["", '{"features": ["'])
@pytest.mark.parametrize("piece", ['\\"', '"', "\u201c", "{}", "[", "'label': ", "/*", ", "])
def test_an_answer_of_one_piece_without_end_takes_no_time(start, piece):
    text = start + piece * (90_000 // len(piece))
    begun = time.process_time()
    for parse in (parse_features, lambda text: parse_scenes(text, ["dog"], 1)):
        with contextlib.suppress(AnswerRefused):
            parse(text)
    assert time.process_time() - begun < 20


def test_an_answer_longer_than_a_book_is_not_read():
    with pytest.raises(AnswerRefused, match="more than 100000 characters"):
        parse_features(f"- golden fur\n- {'x' * 100_000}")


def test_names_that_are_sentences_and_lists_without_end_are_cut():
    names = ["x" * 300, "umbrella", *(f"thing {number}" for number in range(500))]
    (scene,) = parse_scenes(json.dumps([{**BEACH_JSON, "objects": names}]), ["dog"], 1)
    assert scene.objects[:2] == ("dog", "umbrella")
    assert len(scene.objects) == 21


@pytest.mark.parametrize("box", ["1" + "0" * 400, "1e999"])
def test_numbers_that_no_machine_holds_are_refused(box):
    text = f'[{{"label": "cat", "box": [1, 2, 3, {box}], "relationship": "here"}}]'
    with pytest.raises(AnswerRefused, match="numbers"):
        parse_placements(text, ["cat"], 1)
