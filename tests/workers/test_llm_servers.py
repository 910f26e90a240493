"""Language servers as they are: each row of docs/language-servers.md, over HTTP."""

import json

import pytest

from chatgenimage.workers.errors import AnswerRefused, CreditSpent, EndpointUnavailable, KeyRefused
from chatgenimage.workers.llm.openai import OpenAiLanguageModel
from chatgenimage.workers.values import ProposedObject
from tests.loopback import Loopback, Reply, fails, says

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


# Parameters and roles that a server refuses


def learned(reply_to):
    """Ask twice; return the requests, of which only the first question has refused ones."""
    with Loopback(reply_to) as server:
        model = load(server)
        assert model.describe_features("dog", seed=3).value == FEATURES
        before = len(server.requests)
        assert model.describe_features("cat", seed=3).value == FEATURES
        assert len(server.requests) == before + 1
    return server.requests


@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param(
            Reply(
                b'{"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "input": 3}]}',
                422,
            ),
            id="Mistral",
        ),
        pytest.param(refuses(400, message="property 'seed' is unsupported"), id="in the message"),
        pytest.param(refuses(400, message="unsupported", param="seed"), id="by its name alone"),
    ],
)
def test_a_server_without_seed_is_asked_without(refusal):
    requests = learned(lambda request: refusal if "seed" in request else GOOD)
    assert "response_format" in requests[-1]
    assert "seed" not in requests[-1]


@pytest.mark.parametrize(
    ("status", "refusal"),
    [
        (400, "System role not supported"),
        (400, "Developer instruction is not enabled for models/gemma-3-27b-it"),
        (400, "Conversation roles must alternate user/assistant/user/assistant/..."),
        (400, "'messages[0].role' does not support 'system' with this model."),
        (500, "Error rendering prompt with jinja template: System role not supported"),
    ],
)
def test_a_server_without_a_system_role_gets_its_text_before_the_first_question(status, refusal):
    def gemma(request):
        roles = [message["role"] for message in request["messages"]]
        return refuses(status, message=refusal) if "system" in roles else GOOD

    requests = learned(gemma)
    first, *_, last = requests[-1]["messages"]
    assert first["role"] == "user"
    assert first["content"].startswith("You are an expert in the field of vision")
    assert "distinguishing a Lemur" in first["content"]
    assert "distinguishing a cat" in last["content"]
    assert "response_format" in requests[-1]


def test_a_conversation_without_a_system_message_stays_as_it_is():
    def gemma(request):
        roles = [message["role"] for message in request["messages"]]
        return refuses(400, message="System role not supported") if "system" in roles else GOOD

    with Loopback(gemma) as server:
        model = load(server)
        model.describe_features("dog", seed=1)
        server.replies = [says('{"placements": []}')]
        model.place_objects("a dog", [], ["cat"], 1, size_wh=(64, 64), seed=1)
    assert [message["role"] for message in server.requests[-1]["messages"]] == [
        "user",
        "assistant",
        "user",
    ]


def test_a_server_that_knows_json_objects_only_gets_the_word_and_an_example():
    def deepseek(request):
        form = request["response_format"]["type"]
        if form == "json_schema":
            return refuses(400, message="This response_format type is unavailable now")
        if "json" not in request["messages"][-1]["content"].lower():
            return refuses(400, message="Prompt must contain the word 'json'")
        return GOOD

    requests = learned(deepseek)
    assert requests[-1]["response_format"] == {"type": "json_object"}
    assert requests[-1]["messages"][-1]["content"].endswith('this form: {"features": ["..."]}')


def test_the_ledger_has_the_conversation_as_it_was_sent():
    refusal = refuses(400, message="This response_format type is unavailable now")
    answer, requests = features_from(refusal, GOOD)
    assert list(answer.exchanges[0].messages) == requests[-1]["messages"]


def test_a_server_that_does_not_know_the_parameter_is_not_asked_for_objects():
    refusal = refuses(400, message="Unrecognized request argument supplied: response_format")
    requests = learned(lambda request: refusal if "response_format" in request else GOOD)
    assert len(requests) == 3


def test_a_server_that_ignores_the_schema_is_read_in_the_loose_format():
    answer, _ = features_from(says("Here are the features:\n\n- golden fur\n- floppy ears"))
    assert answer.value == FEATURES


# Servers that fail only with a schema


@pytest.mark.parametrize("status", [500, 501])
def test_a_server_that_fails_at_every_schema_is_asked_once_without(status):
    def answer(request):
        return fails(status, "no grammar") if "response_format" in request else GOOD

    with Loopback(answer) as server:
        model = load(server)
        for label in ("dog", "cat", "ball"):
            assert model.describe_features(label, seed=3).value == FEATURES
    assert ["response_format" in request for request in server.requests] == [
        *[True, True, False],
        *[True, True, False],  # the first fault may have been an outage
        False,
    ]


def test_an_outage_does_not_cost_the_schemas():
    with Loopback(*[fails(500)] * 2, GOOD) as server:
        model = load(server)
        for label in ("dog", "cat", "ball"):
            assert model.describe_features(label, seed=3).value == FEATURES
    assert ["response_format" in request for request in server.requests] == [
        *[True, True, False],
        *[True, True],
    ]


def test_a_server_whose_schemas_worked_is_waited_for():
    with Loopback(GOOD, fails(500)) as server:
        model = load(server)
        model.describe_features("dog", seed=1)
        with pytest.raises(EndpointUnavailable):
            model.describe_features("cat", seed=1)
    assert all("response_format" in request for request in server.requests)


def test_a_server_that_is_down_teaches_nothing():
    with Loopback(*[fails(500)] * 3, GOOD) as server:
        model = load(server)
        with pytest.raises(EndpointUnavailable):
            model.describe_features("dog", seed=1)
        model.describe_features("dog", seed=1)
    assert ["response_format" in request for request in server.requests] == [
        *[True, True, False],
        True,
    ]


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


# Errors in a body with status 200, spent accounts, content filters


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


# Boxes


def places(*boxes):
    found = [{"label": "cat", "box": box, "relationship": "by the dog"} for box in boxes]
    return says(json.dumps({"placements": found}))


def place(*replies, **changes):
    with Loopback(*replies) as server:
        model = load(server, **changes)
        answer = model.place_objects("a dog", [], ["cat"], 3, size_wh=(64, 64), seed=1)
    return answer, server.requests


@pytest.mark.parametrize(
    "box",
    [
        pytest.param([256, 128, 384, 320], id="pixels at 512"),
        pytest.param([0.5, 0.25, 0.75, 0.625], id="shares"),
        pytest.param([384, 320, 256, 128], id="swapped corners"),
        pytest.param([256, 128, 128, 192], id="x, y, width, height"),
    ],
)
def test_a_good_place_is_found_in_every_unit(box):
    answer, requests = place(places(box))
    assert answer.value == (ProposedObject("cat", (32.0, 16.0, 48.0, 40.0), "by the dog"),)
    assert len(requests) == 1


def test_boxes_that_cannot_be_used_are_asked_for_again_with_the_problem():
    answer, requests = place(places([1, 2, 3, 4]), places([256, 128, 384, 320]))
    assert answer.value[0].box_xyxy == (32.0, 16.0, 48.0, 40.0)
    assert "must be greater than 75" in requests[1]["messages"][-1]["content"]
    assert "must be greater than 75" in answer.exchanges[0].problem


class Memory:
    def __init__(self):
        self.kept = {}

    def recall(self, key):
        return self.kept.get(key, ())

    def remember(self, key, exchanges):
        self.kept[key] = exchanges


def test_boxes_that_stay_of_no_use_are_kept_with_their_reasons_and_not_remembered():
    memory = Memory()
    with Loopback(places([8, 16, 24, 32]), says("xyzzy")) as server:
        model = OpenAiLanguageModel.load(server.config(), memory)
        answer = model.place_objects("a dog", [], ["cat"], 3, size_wh=(64, 64), seed=1)
    assert answer.value == (ProposedObject("cat", (1.0, 2.0, 3.0, 4.0), "by the dog"),)
    assert [bool(one.problem) for one in answer.exchanges] == [False, True]
    assert memory.kept == {}
