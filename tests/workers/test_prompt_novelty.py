import pytest

from chatgenimage.workers.prompt_novelty import Novelty

KNOWN = "A dog and a car on a beach"


@pytest.mark.parametrize(
    ("text", "is_new"),
    [
        pytest.param("a dog and a car on a beach", False, id="the same"),
        pytest.param("On a beach: a car, and a dog!", False, id="the same words"),
        pytest.param("a dog and a bus on a beach", True, id="another object"),
        pytest.param("a dog on a beach", True, id="fewer objects"),
        pytest.param("a dog and a car and a tree on a beach", True, id="more objects"),
    ],
)
def test_a_prompt_of_the_same_words_is_not_new(text, is_new):
    assert Novelty([KNOWN], 0.95).take(text) is is_new


def test_a_long_prompt_with_few_other_words_is_not_new():
    known = " ".join(f"word{number}" for number in range(60))
    novelty = Novelty([known], 0.95)
    assert not novelty.take(known.replace("word7 ", "other ").replace("word9 ", "another "))
    assert novelty.take(" ".join(known.split()[:40]))


def test_what_was_taken_is_known():
    novelty = Novelty([], 0.95)
    assert novelty.take(KNOWN)
    assert not novelty.take(KNOWN)
