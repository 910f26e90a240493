import re
from pathlib import Path

import pytest

from chatgenimage.workers.errors import TemplateBroken
from chatgenimage.workers.llm.templates import FOLDER, check_templates, fill_template

# As printed in the paper: some slots in braces, some only in bold.
TABLE_1 = Path(__file__).with_name("table_1.txt").read_text(encoding="utf-8")
PASSAGES = re.findall(r"\[(\w+)\]\n(.+)\n", TABLE_1)


def plain(text):
    return " ".join(text.replace("{", "").replace("}", "").split())


@pytest.mark.parametrize(("name", "passage"), PASSAGES)
def test_table_1_stands_word_for_word_in_the_templates(name, passage):
    assert plain(passage) in plain((FOLDER / f"{name}.txt").read_text(encoding="utf-8"))


def test_every_template_is_held_to_table_1():
    assert {name for name, _ in PASSAGES} == {path.stem for path in FOLDER.glob("*.txt")}


def test_demonstrations_come_before_the_question_as_turns_of_a_conversation():
    slots = {"prompt number": "3", "label word": "dog", "visual feature": "golden fur"}
    messages = fill_template("aigc_creator_scene", slots)
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]
    assert messages[-1]["content"].startswith("Give me 3 high quality prompts")
    assert messages[-1]["content"].endswith("The dog is with golden fur.")


def test_what_fills_a_slot_is_not_searched_for_slots():
    slots = {"scene number": "1", "caption": "a {exist objects} sign", "exist objects": "sign"}
    (_, question) = fill_template("scene_imagination", slots)
    assert "a {exist objects} sign" in question["content"]


def test_an_own_folder_replaces_the_questions_that_it_has(tmp_path):
    own = tmp_path / "visual_descriptor.txt"
    own.write_text("[system]\nBe brief.\n[user]\nWhat does a {category name} look like?\n")
    assert len(check_templates(tmp_path)) == 16
    slots = {"category name": "dog"}
    assert fill_template("visual_descriptor", slots, tmp_path) == (
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What does a dog look like?"},
    )
    others = {"scene number": "1", "caption": "a dog", "exist objects": "dog"}
    assert fill_template("scene_imagination", others, tmp_path) == fill_template(
        "scene_imagination", others
    )


@pytest.mark.parametrize(
    ("name", "text", "part"),
    [
        (None, None, "no question in .*expected some of aigc_creator_object.txt"),
        ("other", "[user]\nx\n", "unknown question; expected one of aigc_creator_object"),
        ("visual_descriptor", "What is a dog?", "the last one is \\[user\\], the question"),
        ("visual_descriptor", "[user]\nx\n[assistant]\ny\n", "the last one is"),
        ("visual_descriptor", "[user]\nA {label}?\n", "unknown slot {label}; expected {category"),
    ],
)
def test_a_folder_that_cannot_be_used_says_what_is_expected(tmp_path, name, text, part):
    if name is not None:
        (tmp_path / f"{name}.txt").write_text(text)
    with pytest.raises(TemplateBroken, match=part):
        check_templates(tmp_path)
