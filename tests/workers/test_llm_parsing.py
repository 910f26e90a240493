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
from chatgenimage.workers.values import ImaginedScene, ProposedObject

BEACH = ImaginedScene("a beach", ("dog", "umbrella"), "A dog sits under an umbrella.")
BEACH_JSON = {
    "background": "a beach",
    "objects": ["dog", "umbrella"],
    "description": "A dog sits under an umbrella.",
}
CAT = ProposedObject("cat", (343.23, 176.29, 467.23, 353.13), "sitting next to the dog")
CAT_JSON = {
    "label": "cat",
    "box": [343.23, 176.29, 467.23, 353.13],
    "relationship": "sitting next to the dog.",
}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"features": ["golden fur", "floppy ears"]}', id="the schema"),
        pytest.param('["golden fur", "floppy ears",]', id="trailing comma"),
        pytest.param("['golden fur', 'floppy ears']", id="Python"),
        pytest.param('```json\n["golden fur", "floppy ears"]\n```', id="fenced"),
        pytest.param('Sure: ["golden fur", "floppy ears"] Enjoy!', id="words around"),
        pytest.param('[{"feature": "golden fur"}, {"feature": "floppy ears"}]', id="objects"),
        pytest.param("1. golden fur\n2. floppy ears", id="numbers"),
        pytest.param("- golden fur\n- floppy ears\n- Golden fur", id="bullets"),
        pytest.param("Here are some features:\n* golden fur\n\n* floppy ears", id="preamble"),
        pytest.param("golden fur; floppy ears", id="semicolons"),
        pytest.param("- golden fur - floppy ears", id="dashes in a line"),
    ],
)
def test_features_are_read_from_every_usual_list(text):
    assert parse_features(text) == ("golden fur", "floppy ears")


def test_features_are_read_from_commas_alone():
    assert parse_features("golden fur, floppy ears, a tail.") == (
        "golden fur",
        "floppy ears",
        "a tail",
    )


def test_the_paper_s_lemur_is_read():
    text = "- Large, forward-facing eyes; Soft, thick fur\n- Long, bushy tail; Wet, reflective nose"
    assert parse_features(text) == (
        "Large, forward-facing eyes",
        "Soft, thick fur",
        "Long, bushy tail",
        "Wet, reflective nose",
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "empty", id="empty"),
        pytest.param("  \n", "empty", id="blank"),
        pytest.param("I'm sorry, I cannot, as a model, do it", "declined", id="apology"),
        pytest.param("xyzzy", "several short phrases", id="nonsense"),
        pytest.param('{"features": ["golden fur", "flop', "broken JSON", id="half JSON"),
        pytest.param('{"features": [1, 2]}', "no list 'features' of texts", id="numbers"),
        pytest.param('{"answer": 1, "ok": true}', "no list 'features' of texts", id="other keys"),
    ],
)
def test_features_that_are_none_are_refused_with_a_reason(text, reason):
    with pytest.raises(AnswerRefused, match=reason):
        parse_features(text)


ONE, TWO = "A dog on a sunny beach", "Two dogs in a dark forest"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(json.dumps({"prompts": [ONE, TWO]}), id="the schema"),
        pytest.param(json.dumps([ONE, TWO, "a third dog here"]), id="one too many"),
        pytest.param(f"1. {ONE}\n2. {TWO}", id="numbers"),
        pytest.param(f'1) "{ONE}"\n\n2) "{TWO}"', id="quoted numbers"),
        pytest.param(f"Sure, here are 2 prompts:\n\nPrompt 1: {ONE}\nPrompt 2: {TWO}", id="named"),
        pytest.param(f"- {ONE}\n- {TWO}", id="bullets"),
        pytest.param(f"{ONE}\n\n{TWO}", id="paragraphs"),
        pytest.param(f"```\n{ONE}\n{TWO}\n```", id="fenced lines"),
    ],
)
def test_prompts_are_read_from_every_usual_list(text):
    assert parse_prompts(text, "dog", 2) == (ONE, TWO)


def test_a_prompt_with_too_many_words_is_not_taken():
    text = json.dumps([f"{ONE} by the sea", TWO])
    assert parse_prompts(text, "dog", 2, most_words=6) == (TWO,)
    with pytest.raises(AnswerRefused, match="has 9 words, at most 6 are allowed"):
        parse_prompts(json.dumps([f"{ONE} by the sea"]), "dog", 2, most_words=6)


def test_the_paper_s_red_panda_is_read():
    text = (
        "Sure, here are 1 high quality prompts for text-to-image models about the amazing close-up "
        "realistic scene containing the red panda: Bring a scene of a red panda to life."
    )
    assert parse_prompts(text, "red panda", 1) == ("Bring a scene of a red panda to life.",)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "empty", id="empty"),
        pytest.param('{"prompts": []}', "expected 2 prompts, found 0", id="none"),
        pytest.param("1. A lonely beach", "'A lonely beach' does not mention", id="other topic"),
        pytest.param(f"1. {'dog ' * 1500}", "more than 4000 characters", id="a book"),
        pytest.param('["A dog on', "broken JSON", id="half JSON"),
        pytest.param("I cannot help with that", "declined", id="apology"),
    ],
)
def test_prompts_that_are_none_are_refused_with_a_reason(text, reason):
    with pytest.raises(AnswerRefused, match=reason):
        parse_prompts(text, "dog", 2)


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
    begun = time.monotonic()
    for parse in (parse_features, lambda text: parse_scenes(text, ["dog"], 1)):
        with contextlib.suppress(AnswerRefused):
            parse(text)
    assert time.monotonic() - begun < 20


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
