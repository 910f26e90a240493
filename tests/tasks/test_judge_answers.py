"""Answers of judges in the forms in which small models write them, and what is read from them."""

import time

import pytest

from chatgenimage.tasks.judge_answers import read_count, read_rating


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ("10", 1),
        ("7/10", 0.7),
        ("8,5", 0.85),
        ("nine", 0.9),
        ("On a scale of 0 to 10, I would say 8.", 0.8),
        ("From 0 (certainly not) to 10 (certainly): 9", 0.9),
        ("80 %", 0.8),
        ("10 out of 10", 1),
        ("Yes, it is.", 1),
        ("no", 0),
        ("0.8", 0.8),
        ("0,8", 0.8),
        ("0", 0),
        ("0.0", 0),
        ("1", 0.1),
        ("0.8/1", 0.8),
        ("8 of 10", 0.8),
        ("four out of five", 0.8),
        ("4/5", 0.8),
        ("80/100", 0.8),
        ("85", 0.85),
        ("100", 1),
        ("80 percent", 0.8),
        ("Eight.", 0.8),
        ("**8**", 0.8),
        ("Rating: 8", 0.8),
        ("Yes, 8", 0.8),
        ("Yes.", 1),
        ("No, it is a cat.", 0),
        ("Yes, there are 2 dogs.", 1),
        ("There are 2 dogs, so I would give 9", 0.9),
        ("8. The dog has 4 legs", 0.8),
        ("The dog has 4 legs: 8", 0.8),
        ("Certainly", 1),
        ("Certainly not", 0),
        ("Definitely not.", 0),
        ("8.5/10", 0.85),
        ("9.5", 0.95),
        ("10/10, perfect", 1),
        ("Score 7 out of 10", 0.7),
        ("The answer is 6.", 0.6),
        ("No, 2/10", 0.2),
        ("Not at all", 0),
        ("10 (certainly)", 1),
        ("5 (certainly not)", 0.5),
        ("1/10", 0.1),
        ("0.85 (certainly)", 0.85),
        ("Confidence: 0.9", 0.9),
        ("10.0", 1),
        ("yes, 80%", 0.8),
    ],
)
def test_a_rating_is_read_as_a_share(answer, value):
    assert read_rating(answer) == pytest.approx(value)


@pytest.mark.parametrize(
    "answer",
    [
        "Score: 11",
        "I cannot see it",
        "",
        "1.0",
        "15",
        "eighty percent",
        "No, 10",
        "Yes, 0",
        "I see 2 dogs and 3 cats",
        "-3",
        "7-8",
        "8 or 9",
        "101",
        "I'm not sure",
        "maybe",
        "2/3",
        "8/10 or 9/10",
    ],
)
def test_a_rating_that_is_not_clear_stays_unread(answer):
    assert read_rating(answer) is None


@pytest.mark.parametrize(
    ("answer", "count"),
    [
        ("2", 2),
        ("one", 1),
        ("0", 0),
        ("None.", 0),
        ("no", 0),
        ("There are no dogs", 0),
        ("There are no dogs in this image.", 0),
        ("There are none, so 0", 0),
        ("No dogs.", 0),
        ("zero", 0),
        ("Zero dogs", 0),
        ("There are two dogs.", 2),
        ("I see 2 dogs and 1 cat", 2),
        ("three (3)", 3),
        ("a dozen", 12),
        ("a pair of dogs", 2),
        ("There is a single dog", 1),
        ("There is a dog in the image", 1),
        ("about 5", 5),
        ("There are 2 dogs: one brown and one white, 2 in total", 2),
        ("There aren't any dogs.", 0),
        ("The image contains 3 dogs.", 3),
        ("Nothing", 0),
        ("12", 12),
        ("thirteen", 13),
        ("4 dogs", 4),
        ("The number of dogs is 4.", 4),
        ("**3**", 3),
        ("No dogs, but 2 cats", 0),
        ("None of them", 0),
        ("No one", 0),
        ("I can see no dog", 0),
        ("Only one.", 1),
        ("3.", 3),
        ("100", 100),
        ("Answer: 3", 3),
        ("There are not any dogs", 0),
        ("1 dog", 1),
        ("five.", 5),
        ("There is no dog in this image, only 2 cats", 0),
    ],
)
def test_a_count_is_read(answer, count):
    assert read_count(answer) == count


@pytest.mark.parametrize(
    "answer",
    [
        "Two dogs and one cat",
        "several",
        "2-3",
        "2 or 3",
        "more than 10",
        "10+",
        "2.5",
        "",
        "I cannot see it",
        "No, there are two",
        "twenty-one",
        "-1",
        "2 dogs, 4 legs each",
        "At least 3",
        "one or two",
        "There are 1 to 2 dogs",
    ],
)
def test_a_count_that_is_not_clear_stays_unread(answer):
    assert read_count(answer) is None


@pytest.mark.parametrize("part", ["9", "no ", "1 of ", "1 2 ", "1.", "scale of 0 ("])
@pytest.mark.parametrize("length", [990, 100_000])
def test_an_answer_of_any_length_is_read_at_once(part, length):
    answer = part * (length // len(part))
    started = time.process_time()
    read_count(answer)
    read_rating(answer)
    assert time.process_time() - started < 1
