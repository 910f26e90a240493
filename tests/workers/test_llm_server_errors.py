"""Language servers as they are: errors with status 200, spent accounts, content filters."""

import pytest

from chatgenimage.workers.errors import CreditSpent, EndpointUnavailable, KeyRefused
from tests.workers.language_answers import (
    body,
    message,
    refusal_of,
    refuses,
)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"choices": None, "error": {"message": "slow down", "code": 429}}, "slow down"),
        ({"choices": [], "error": {"message": "busy", "code": "rate_limit_exceeded"}}, "busy"),
        ({"choices": None, "error": {"message": "too hot", "type": "overloaded_error"}}, "too hot"),
        ({"choices": None, "error": {"message": "down", "code": "503"}}, "down"),
        (
            {
                "choices": [
                    {
                        "finish_reason": "error",
                        "message": {"content": '{"fea'},
                        "error": {"code": 502, "message": "the provider went away"},
                    }
                ]
            },
            "provider went away",
        ),
        ({"choices": None, "object": "error", "message": "full", "code": 429}, "full"),
    ],
)
def test_a_passing_error_inside_a_200_waits(changes, reason):
    error, _ = refusal_of(body(**changes), kind=EndpointUnavailable)
    assert reason in str(error)
    assert reason in error.exchanges[0].problem


@pytest.mark.parametrize(
    "changes",
    [
        {"choices": None, "error": {"message": "the\x00 model is broken", "code": "oops"}},
        {"choices": None, "error": "the model is broken"},
        {"choices": None, "error": {"message": "the model is broken", "code": "1000"}},
        {"choices": None, "error": {"message": "the model is broken", "code": "moderated"}},
    ],
)
def test_another_error_inside_a_200_is_refused_with_the_server_s_reason(changes):
    error, requests = refusal_of(body(**changes))
    assert "the server sent an error: the model is broken" in str(error)
    assert len(requests) == 2


def test_the_words_of_the_server_behind_a_gateway_are_kept():
    error = {"message": "Provider returned error", "code": 400, "metadata": {"raw": "no dogs"}}
    for reply in (refuses(400, **error), body(choices=None, error=error)):
        refused, _ = refusal_of(reply)
        assert "Provider returned error: no dogs." in str(refused)


def test_a_wrong_key_inside_a_200_is_refused_at_once():
    wrong = body(choices=None, error={"message": "no such key", "code": 401})
    error, requests = refusal_of(wrong, kind=KeyRefused)
    assert "no such key. Check OPENAI_API_KEY" in str(error)
    assert len(requests) == 1


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(
            body(choices=None, error={"message": "upstream credit limit reached", "code": 402}),
            id="OpenRouter, in a 200",
        ),
        pytest.param(refuses(402, message="Insufficient credits", code=402), id="OpenRouter"),
        pytest.param(refuses(402, message="Insufficient Balance"), id="DeepSeek"),
        pytest.param(
            refuses(429, message="You exceeded your quota", code="insufficient_quota"), id="OpenAI"
        ),
        pytest.param(
            refuses(
                400,
                message="Your credit balance is too low to access the API.",
                type="invalid_request_error",
            ),
            id="Anthropic",
        ),
    ],
)
def test_a_spent_account_is_said_as_such(reply):
    error, _ = refusal_of(reply, kind=CreditSpent)
    assert "Top up the account" in str(error)


AZURE = {
    "message": "The response was filtered due to the prompt triggering the content policy.",
    "type": None,
    "param": "prompt",
    "code": "content_filter",
    "innererror": {"code": "ResponsibleAIPolicyViolation"},
}


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        pytest.param(refuses(400, **AZURE), "content filter refused this request", id="Azure"),
        pytest.param(
            message("content_filter", content=None), "content filter stopped the answer", id="cut"
        ),
    ],
)
def test_what_a_content_filter_refuses_is_not_asked_again(reply, reason):
    error, requests = refusal_of(reply)
    assert reason in str(error)
    assert len(requests) == 1
