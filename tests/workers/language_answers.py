"""Answers of language servers on loopback, and the question for features that gets them."""

import json

import pytest

from chatgenimage.workers.errors import AnswerRefused
from chatgenimage.workers.llm.openai import OpenAiLanguageModel
from tests.loopback import Loopback, Reply, says

TEXT = '{"features": ["golden fur", "floppy ears"]}'
GOOD = says(TEXT)
FEATURES = ("golden fur", "floppy ears")
PRICES = {"prompt_price": 1_000_000.0, "completion_price": 2_000_000.0}


def body(**changes):
    """Return the good answer with other keys in its body."""
    return Reply(json.dumps({**json.loads(GOOD.body), **changes}).encode())


def message(finish_reason="stop", **fields):
    """Return an answer whose message has these fields."""
    said = {"role": "assistant", "content": None, **fields}
    return body(choices=[{"index": 0, "finish_reason": finish_reason, "message": said}])


def refuses(status, **error):
    return Reply(json.dumps({"error": error}).encode(), status, headers={"retry-after-ms": "1"})


def load(server, **changes):
    return OpenAiLanguageModel.load(server.config(**{"max_retries": 1, **changes}))


def features_from(*replies, **changes):
    """Return the answer to the question for features, and the requests that it took."""
    with Loopback(*replies) as server:
        return load(server, **changes).describe_features("dog", seed=3), server.requests


def refusal_of(*replies, kind=AnswerRefused, **changes):
    """Return the error that the question for features ends with, and the requests."""
    with Loopback(*replies) as server, pytest.raises(kind) as caught:
        load(server, **changes).describe_features("dog", seed=3)
    assert caught.type is kind
    return caught.value, server.requests
