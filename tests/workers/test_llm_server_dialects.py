"""Language servers as they are: parameters, roles and schemas that they refuse."""

import pytest

from chatgenimage.workers.errors import EndpointUnavailable
from tests.loopback import Loopback, Reply, fails, says
from tests.workers.language_answers import FEATURES, GOOD, features_from, load, refuses

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
