import re
from pathlib import Path

import pytest

from chatgenimage.workers.llm.templates import FOLDER, fill_template

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
