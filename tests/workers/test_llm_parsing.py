"""Features and prompts, read from the forms in which models write them."""

import json

import pytest

from chatgenimage.workers.errors import AnswerRefused
from chatgenimage.workers.llm.parsing import (
    parse_features,
    parse_prompts,
)


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
