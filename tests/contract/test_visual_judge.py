import shutil

import numpy as np
import pytest

from chatgenimage.testing import CHECKS
from chatgenimage.workers.errors import CheckpointBroken, PackageMissing
from chatgenimage.workers.interfaces import VisualJudge
from chatgenimage.workers.registry import load_family
from chatgenimage.workers.vision.vision_language import without_thoughts
from tests.contract import kinds
from tests.contract.conftest import ADAPTER

QUESTIONS = [
    "Is there a dog?",
    "How many houses are in this picture, and where?",
    "Is it at night?",
]
CHATS = [kind for kind in kinds.SAVERS["vision_language"] if kind != "florence2"]


@pytest.fixture(params=CHATS)
def judge(request, load):
    return load(request.param, "vision_language")


@pytest.mark.parametrize("check", CHECKS[VisualJudge], ids=lambda check: check.__name__)
def test_the_contract_that_plug_ins_are_checked_by_holds(judge, check):
    check(judge)


def test_the_answer_depends_on_image_and_question(load, images):
    judge = load("qwen3_vl", "vision_language")
    black = np.zeros_like(images[0])
    assert judge.ask(images[:1], QUESTIONS[:1]) != judge.ask([black], QUESTIONS[:1])
    assert judge.ask(images[:1], QUESTIONS[:1]) != judge.ask(images[:1], QUESTIONS[1:2])


def test_special_words_in_a_question_are_text(judge, images):
    special = judge._processor.tokenizer.all_special_tokens  # noqa: SLF001
    question = f"Is there a {''.join(special)}dog?"
    assert judge.ask(images[:1], [question]) == judge.ask(images[:1], ["Is there a  dog?"])


@pytest.mark.parametrize(
    ("prompt_end", "text", "answer"),
    [
        pytest.param("assistant\n", "yes", "yes", id="no thoughts"),
        pytest.param("assistant\n", "<think>a dog?</think>\n\nyes", "yes", id="thoughts"),
        pytest.param(
            "assistant\n<think>\n", "a dog?</think>\n yes\nit is", "yes it is", id="opened"
        ),
        pytest.param("<think>\n", "hmm, a dog", "", id="cut in the thoughts"),
        pytest.param("<think>\n\n</think>\n\n", "yes", "yes", id="closed by the template"),
    ],
)
def test_thoughts_are_no_part_of_an_answer(prompt_end, text, answer):
    assert without_thoughts(prompt_end, text) == answer


def broken(folder, tmp_path, change, **settings):
    """Return how a changed copy of a checkpoint is refused."""
    copy = shutil.copytree(folder, tmp_path / "copy")
    change(copy)
    values = {"family": "vision_language", "checkpoint": str(copy), **settings}
    with pytest.raises((CheckpointBroken, PackageMissing)) as refused:
        load_family(ADAPTER.validate_python(values), "cpu")
    return str(refused.value)


def test_a_checkpoint_without_a_chat_template_is_refused(kinds_folder, tmp_path):
    folder = kinds.save("vision_language", "qwen3_vl", kinds_folder)
    said = broken(folder, tmp_path, lambda copy: (copy / "chat_template.jinja").unlink())
    assert "has no chat template, so it follows no instructions" in said


def test_florence_takes_its_own_words_only(kinds_folder, tmp_path):
    folder = kinds.save("vision_language", "florence2", kinds_folder)
    said = broken(folder, tmp_path, lambda _: None, instruction="Describe this image.")
    assert "florence2 takes one of <MORE_DETAILED_CAPTION>" in said


def test_florence_captions_by_the_word_that_is_set(load, images):
    captions = {
        word: load("florence2", "vision_language", instruction=word).caption(images[:1])[0]
        for word in ("<CAPTION>", "<MORE_DETAILED_CAPTION>")
    }
    assert (
        captions["<MORE_DETAILED_CAPTION>"]
        == load("florence2", "vision_language").caption(images[:1])[0]
    )
