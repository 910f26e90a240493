import pytest

from chatgenimage.workers.text_chunks import split_text

TABLE_1 = (
    "Bring a photo-realistic close-up scene of a red panda to life, set against a backdrop of a "
    "rustic temple in a mountainous region. The panda should be in front of the temple; its ears "
    "are round. The scene is serene."
)


def fits(text):
    return len(text.split()) <= 12 and len(text) <= 80


def test_a_text_that_fits_is_one_chunk():
    assert split_text(" a dog  here ", fits) == [" a dog  here "]
    assert split_text("", fits) == [""]


@pytest.mark.parametrize("text", [TABLE_1, "dog " * 100, "dog, " * 100, "a. b; c! " * 60])
def test_chunks_fit_and_lose_no_word(text):
    chunks = split_text(text, fits)
    assert all(map(fits, chunks))
    assert " ".join(chunks).split() == text.split()


def test_sentences_and_phrases_stay_whole_where_they_fit():
    assert split_text(TABLE_1, fits) == [
        "Bring a photo-realistic close-up scene of a red panda to life,",
        "set against a backdrop of a rustic temple in a mountainous region.",
        "The panda should be in front of the temple;",
        "its ears are round. The scene is serene.",
    ]


def test_a_word_that_is_too_long_is_split():
    chunks = split_text("x" * 1000, fits)
    assert all(map(fits, chunks))
    assert "".join(chunks) == "x" * 1000


def test_a_text_of_which_nothing_fits_still_ends():
    assert "".join(split_text("abc", lambda _: False)) == "abc"
