"""Language servers as they are: thoughts, forms and lengths of answers, and counts of tokens."""

import json

import pytest

from tests.loopback import Reply, says
from tests.workers.language_answers import (
    FEATURES,
    GOOD,
    PRICES,
    TEXT,
    body,
    features_from,
    message,
    refusal_of,
)

# Thoughts


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(says(f"<think>1. It must be a dog.</think>\n{TEXT}"), id="DeepSeek-R1, Qwen3"),
        pytest.param(
            says(f"1. It must be a dog.</think>\n{TEXT}"), id="opening tag in the template"
        ),
        pytest.param(
            message(content=TEXT, reasoning_content="1. It must be a dog."), id="vLLM, DeepSeek"
        ),
        pytest.param(message(content=TEXT, reasoning="1. It must be a dog."), id="OpenRouter"),
        pytest.param(
            message(
                content=[
                    {
                        "type": "thinking",
                        "thinking": [{"type": "text", "text": "1. It must be a dog."}],
                    },
                    {"type": "text", "text": TEXT[:20]},
                    {"type": "reference", "reference_ids": [1]},
                    {"type": "text", "text": TEXT[20:]},
                ]
            ),
            id="Mistral",
        ),
    ],
)
def test_thoughts_are_kept_apart_from_the_answer(reply):
    answer, requests = features_from(reply)
    (exchange,) = answer.exchanges
    assert answer.value == FEATURES
    assert (exchange.answer, exchange.thoughts) == (TEXT, "1. It must be a dog.")
    assert len(requests) == 1


def test_gpt_oss_s_channels_are_read():
    thoughts = "<|channel|>analysis<|message|>hm<|end|>"
    final = f"<|start|>assistant<|channel|>final<|message|>{TEXT}"
    answer, _ = features_from(says(thoughts + final))
    assert answer.value == FEATURES
    assert "hm" in answer.exchanges[0].thoughts


def test_thoughts_are_not_sent_back_with_a_complaint():
    answer, requests = features_from(says("<think>a plan: fur; ears</think>xyzzy"), GOOD)
    assert answer.value == FEATURES
    assert requests[1]["messages"][-2] == {"role": "assistant", "content": "xyzzy"}


# Forms of answers


def test_a_text_in_parts_or_as_an_object_is_read():
    for content in (["", TEXT], [{"type": "output_text", "text": TEXT}], json.loads(TEXT)):
        answer, _ = features_from(message(content=content))
        assert answer.value == FEATURES


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"reasoning_content": "x" * 40}, "sent 40 characters of thoughts only"),
        ({"tool_calls": [{"id": "1"}]}, "sent a call of a tool instead"),
        ({"content": [{"type": "image"}]}, "the answer is empty"),
        ({"content": " " * 9}, "the answer is empty"),
        ({"content": [], "refusal": "no\x00 dogs"}, "declined: no dogs"),
    ],
)
def test_an_empty_answer_says_what_was_sent_instead(fields, problem):
    error, _ = refusal_of(message(**fields), max_repairs=0)
    assert problem in str(error)


def test_an_answer_of_an_unforeseen_form_is_refused_and_paid_for():
    error, _ = refusal_of(body(choices=[None]), body(choices=3), max_repairs=1)
    assert [one.completion_tokens for one in error.exchanges] == [7, 7]
    error, _ = refusal_of(Reply(b"[1]"), max_repairs=0)
    assert "no chat completion" in str(error)


def test_what_cannot_be_stored_is_cleaned_at_the_door():
    answer, _ = features_from(body(model="m\x00" * 300, usage={"prompt_tokens": 2**40}))
    (exchange,) = answer.exchanges
    assert exchange.model == "m" * 200
    assert exchange.prompt_tokens is None
    answer, _ = features_from(says('\x00["golden\x00 fur", "floppy\\u0000 ears\\ud800"]'))
    assert answer.value == FEATURES
    assert "\x00" not in answer.exchanges[0].answer
    answer, _ = features_from(body(model={"name": "x"}))
    assert answer.exchanges[0].model == "asked"


# Counts of tokens


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        ({}, (None, None)),
        (None, (None, None)),
        ("none", (None, None)),
        ({"prompt_tokens": None, "completion_tokens": None}, (None, None)),
        ({"prompt_tokens": -1, "completion_tokens": True}, (None, None)),
        ({"prompt_tokens": 11}, (11, None)),
        ({"prompt_tokens": 0, "completion_tokens": 0}, (0, 0)),
        ({"prompt_tokens": 21, "completion_tokens": 0, "total_tokens": 81}, (21, 60)),
        ({"prompt_tokens": 11.0, "completion_tokens": 7.0, "total_tokens": 18}, (11, 7)),
    ],
)
def test_tokens_that_were_not_counted_are_unknown(usage, counted):
    answer, _ = features_from(body(usage=usage), **PRICES)
    (exchange,) = answer.exchanges
    assert answer.value == FEATURES
    assert (exchange.prompt_tokens, exchange.completion_tokens) == counted
    assert exchange.cost == (counted[0] or 0) + 2 * (counted[1] or 0)


# The longest answer


def test_reasoning_that_used_up_the_limit_names_it_and_is_not_asked_the_same_again():
    used_up = message("length", content="", reasoning_content="hm " * 9)
    error, requests = refusal_of(used_up, max_tokens=99)
    assert len(requests) == 1
    assert "used all of max_tokens (99)" in str(error)
    assert "`max_tokens_if_cut`" in str(error)
    error, _ = refusal_of(says("<think>hm", finish_reason="length"), max_tokens=99)
    assert error.exchanges[0].thoughts == "hm"


@pytest.mark.parametrize("text", ["", '{"features": ["golden f'])
def test_a_larger_limit_is_tried_once_where_it_is_allowed(text):
    cut = says(text, finish_reason="length")
    answer, requests = features_from(cut, GOOD, max_tokens=9, max_tokens_if_cut=99, max_repairs=0)
    assert answer.value == FEATURES
    assert [request["max_tokens"] for request in requests] == [9, 99]
    assert requests[0]["messages"] == requests[1]["messages"]
    assert "max_tokens (9)" in answer.exchanges[0].problem
    error, requests = refusal_of(cut, max_tokens=9, max_tokens_if_cut=99, max_repairs=0)
    assert [request["max_tokens"] for request in requests] == [9, 99]
    assert "max_tokens (99)" in str(error)
