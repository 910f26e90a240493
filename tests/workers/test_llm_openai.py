import json
import logging
import socket

import pytest

from chatgenimage.workers.errors import (
    AnswerRefused,
    CheckpointNotFound,
    EndpointUnavailable,
    KeyRefused,
)
from chatgenimage.workers.llm.openai import OpenAiLanguageModel
from chatgenimage.workers.server_config import OpenAiConfig
from chatgenimage.workers.values import Detection, ProposedObject
from tests.loopback import KEY, Loopback, Reply, fails, says

GOOD = says('{"features": ["golden fur", "floppy ears"]}')
FEATURES = ("golden fur", "floppy ears")


@pytest.fixture(autouse=True)
def _quiet_environment(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)


def features_from(server, **changes):
    return OpenAiLanguageModel.load(server.config(**changes)).describe_features("dog", seed=3)


def test_a_good_answer_is_used_and_its_cost_recorded():
    with Loopback(GOOD) as server:
        answer = features_from(server)
    (exchange,) = answer.exchanges
    assert answer.value == FEATURES
    assert (exchange.question, exchange.model, exchange.problem) == ("features", "loopback-1", None)
    assert (exchange.prompt_tokens, exchange.completion_tokens) == (11, 7)
    assert exchange.duration_s > 0
    assert exchange.messages[-1]["content"].startswith("Q: What are useful visual features")


def test_the_request_is_the_paper_s_with_a_schema_and_temperature_zero():
    with Loopback(GOOD) as server:
        features_from(server, temperature=0.0, max_tokens=99)
    (request,) = server.requests
    assert (request["model"], request["temperature"], request["max_tokens"]) == ("asked", 0, 99)
    assert request["seed"] == 3
    schema = request["response_format"]["json_schema"]
    assert (schema["name"], schema["strict"]) == ("features", True)
    assert server.authorizations == [f"Bearer {KEY}"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('```json\n{"features": ["golden fur", "floppy ears"]}\n```', id="fenced"),
        pytest.param("- golden fur; floppy ears", id="Table 1's format"),
    ],
)
def test_a_nearly_right_answer_is_mended_without_asking_again(text):
    with Loopback(says(text)) as server:
        assert features_from(server).value == FEATURES
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        pytest.param(says("xyzzy"), "several short phrases", id="nonsense"),
        pytest.param(says('{"features": ["golden f'), "broken JSON", id="half JSON"),
        pytest.param(says(""), "empty", id="empty"),
        pytest.param(says(None), "empty", id="null"),
        pytest.param(says("golden", finish_reason="length"), "cut off", id="too long"),
        pytest.param(says(None, refusal="no dogs"), "declined: no dogs", id="refusal"),
        pytest.param(Reply(b'{"choices": []}'), "no chat completion", id="no choice"),
        pytest.param(Reply(b'{"choices": [{"ind'), "broken JSON", id="half a body"),
        pytest.param(
            Reply(b"<html>", content_type="text/html"), "no chat completion", id="a web page"
        ),
    ],
)
def test_an_unusable_answer_is_told_its_problem_and_asked_for_again(bad, problem):
    with Loopback(bad, GOOD) as server:
        answer = features_from(server)
    assert answer.value == FEATURES
    first, second = answer.exchanges
    assert problem in first.problem
    assert second.problem is None
    assert problem in server.requests[1]["messages"][-1]["content"]
    assert [message["role"] for message in server.requests[1]["messages"][-2:]] == [
        "assistant",
        "user",
    ]


@pytest.mark.parametrize("max_repairs", [0, 2])
def test_what_stays_unusable_is_refused_with_every_exchange(max_repairs):
    with (
        Loopback(says("xyzzy")) as server,
        pytest.raises(AnswerRefused, match="no usable features from asked") as caught,
    ):
        features_from(server, max_repairs=max_repairs)
    assert len(caught.value.exchanges) == max_repairs + 1
    assert all(exchange.problem for exchange in caught.value.exchanges)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_fault_is_retried(status):
    with Loopback(fails(status), fails(status), GOOD) as server:
        answer = features_from(server)
    assert answer.value == FEATURES
    assert len(answer.exchanges) == 1
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("status", "requests"),
    [
        pytest.param(429, 3, id="429"),
        pytest.param(500, 4, id="500, then once without a schema"),
        pytest.param(503, 3, id="503"),
    ],
)
def test_a_fault_that_stays_means_the_endpoint_is_unavailable(status, requests):
    with Loopback(fails(status)) as server, pytest.raises(EndpointUnavailable) as caught:
        features_from(server)
    assert len(server.requests) == requests
    assert str(status) in str(caught.value)


def test_a_fault_during_a_repair_keeps_what_was_paid_for():
    with (
        Loopback(says("xyzzy"), fails(503)) as server,
        pytest.raises(EndpointUnavailable) as caught,
    ):
        features_from(server, max_retries=0)
    assert [exchange.completion_tokens for exchange in caught.value.exchanges] == [7, 0]


def test_a_server_that_is_not_there_is_unavailable():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        config = OpenAiConfig(base_url=url, api_key=KEY, max_retries=0)
        with pytest.raises(EndpointUnavailable, match=r"127\.0\.0\.1.*OPENAI_BASE_URL"):
            OpenAiLanguageModel.load(config).describe_features("dog", seed=1)


def test_a_server_that_never_answers_is_unavailable():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        config = OpenAiConfig(base_url=url, api_key=KEY, max_retries=0, timeout_s=0.2)
        with pytest.raises(EndpointUnavailable, match="timed out"):
            OpenAiLanguageModel.load(config).describe_features("dog", seed=1)


@pytest.mark.parametrize(
    ("status", "kind", "advice"),
    [
        (401, KeyRefused, "OPENAI_API_KEY"),
        (404, AnswerRefused, "the model's name"),
        (403, AnswerRefused, "api_key"),
    ],
)
def test_a_refused_request_is_reported_with_advice_and_not_repeated(status, kind, advice):
    with Loopback(fails(status)) as server, pytest.raises(kind, match=advice):
        features_from(server)
    assert len(server.requests) == 1


def test_a_server_without_schemas_is_asked_in_table_1_s_text_format_from_then_on():
    def only_text(request):
        if "response_format" in request:
            return fails(400, "response_format json_schema is not supported")
        return says("- golden fur; floppy ears")

    with Loopback(only_text) as server:
        model = OpenAiLanguageModel.load(server.config())
        assert model.describe_features("dog", seed=1).value == FEATURES
        assert model.describe_features("dog", seed=1).value == FEATURES
    forms = [request.get("response_format", {}).get("type") for request in server.requests]
    assert forms == ["json_schema", "json_object", None, None]


def test_a_server_that_knows_no_length_of_texts_is_asked_with_the_schema_without_it():
    def strict(request):
        if "maxLength" in json.dumps(request["response_format"]):
            return fails(400, "Invalid schema: 'maxLength' is not permitted.")
        return GOOD

    with Loopback(strict) as server:
        model = OpenAiLanguageModel.load(server.config())
        assert model.describe_features("dog", seed=1).value == FEATURES
        assert model.describe_features("dog", seed=1).value == FEATURES
    assert len(server.requests) == 3
    (features,) = server.requests[-1]["response_format"]["json_schema"]["schema"][
        "properties"
    ].values()
    assert features["maxItems"] > features["minItems"] >= 1


def test_a_newer_model_is_asked_with_the_parameters_it_knows():
    def newer(request):
        if "max_tokens" in request:
            return fails(400, "Unsupported parameter: use 'max_completion_tokens' instead.")
        if "temperature" in request:
            return fails(400, "Unsupported value: 'temperature' does not support 0.")
        return GOOD

    with Loopback(newer) as server:
        assert features_from(server, max_tokens=55).value == FEATURES
    assert server.requests[-1]["max_completion_tokens"] == 55
    assert "response_format" in server.requests[-1]


def test_a_request_that_is_wrong_in_any_form_is_refused_and_teaches_nothing():
    with Loopback(*[fails(400, "no")] * 2, fails(400, "no such topic"), GOOD) as server:
        model = OpenAiLanguageModel.load(server.config())
        with pytest.raises(AnswerRefused, match="no such topic"):
            model.describe_features("dog", seed=1)
        model.describe_features("dog", seed=1)
    forms = [request.get("response_format", {}).get("type") for request in server.requests]
    assert forms == ["json_schema", "json_object", None, "json_schema"]


def test_boxes_are_asked_for_at_512_pixels_and_come_back_in_the_image_s():
    text = '"label": \'cat\', "box": [256, 128, 384, 320], "relationship": \'by the dog.\''
    dog = Detection("dog", 0.434, (22.0, 14.5, 38.75, 45.0))
    with Loopback(says(text)) as server:
        model = OpenAiLanguageModel.load(server.config())
        answer = model.place_objects("a dog", [dog], ["cat"], 1, size_wh=(64, 128), seed=1)
    assert answer.value == (ProposedObject("cat", (32.0, 32.0, 48.0, 80.0), "by the dog"),)
    question = server.requests[0]["messages"][-1]["content"]
    assert '"value": 1, "label": "dog", "logit": 0.43, "box": [176.00, 58.00, 310.00, 180.00]' in (
        question
    )
    assert "the following objects cat." in question


def test_the_key_is_in_no_error_no_log_and_no_record(caplog):
    caplog.set_level(logging.DEBUG)
    echo = fails(401, f"Incorrect API key provided: {KEY}")
    with Loopback(echo) as server, pytest.raises(KeyRefused) as caught:
        features_from(server)
    with Loopback(GOOD) as server:
        model = OpenAiLanguageModel.load(server.config())
        answer = model.describe_features("dog", seed=1)
    shown = [str(caught.value), repr(caught.value.exchanges), repr(answer), repr(model.identity)]
    assert KEY not in "".join([*shown, caplog.text])


SECRETS = ("hushUser", "hush/Word", "hush%2FWord", "hushKey")


def with_secrets(server):
    address = server.url.replace("://", "://hushUser:hush%2FWord@")
    return f"{address}/?api-version=2024-10-21&key=hushKey#top"


@pytest.mark.parametrize("is_in_environment", [False, True])
def test_the_query_of_an_address_is_sent_behind_the_path(monkeypatch, is_in_environment):
    with Loopback(GOOD) as server:
        config = server.config(base_url=with_secrets(server))
        if is_in_environment:
            monkeypatch.setenv("OPENAI_BASE_URL", config.base_url)
            config = server.config(base_url=None)
        model = OpenAiLanguageModel.load(config)
        assert model.describe_features("dog", seed=1).value == FEATURES
    assert server.paths == ["/v1/chat/completions?api-version=2024-10-21&key=hushKey"]
    assert not [secret for secret in SECRETS if secret in repr(model.identity)]


def test_no_secret_of_an_address_is_shown_even_if_the_server_repeats_it():
    echo = fails(400, f"2024-10-21: cannot serve {' '.join(SECRETS)}, hushKeys, {KEY}")
    with Loopback(echo) as server, pytest.raises(AnswerRefused) as caught:
        features_from(server, base_url=with_secrets(server))
    shown = f"{caught.value} {caught.value.exchanges!r}"
    assert "2024-10-21: cannot serve *** *** *** ***, hushKeys, ***" in shown
    shown = shown.replace("hushKeys", "")
    assert not [secret for secret in (*SECRETS, KEY) if secret in shown]


def test_the_environment_names_endpoint_and_key_where_the_profile_does_not(monkeypatch):
    with Loopback(GOOD) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-from-environment")
        OpenAiLanguageModel.load(OpenAiConfig()).describe_features("dog", seed=1)
    assert server.authorizations == ["Bearer sk-from-environment"]


def test_a_server_of_one_s_own_needs_no_key():
    with Loopback(GOOD) as server:
        assert features_from(server, api_key=None).value == FEATURES


def test_the_public_endpoint_without_a_key_is_told_at_once():
    with pytest.raises(CheckpointNotFound, match=r"OPENAI_API_KEY.*micro"):
        OpenAiLanguageModel.load(OpenAiConfig())


def test_the_identity_names_model_and_host():
    with Loopback(GOOD) as server:
        url = server.url.replace("//", "//me:hush@")
        identity = OpenAiLanguageModel.load(server.config(base_url=url)).identity
    assert (identity.family, identity.checkpoint) == ("openai", "asked")
    assert "hush" not in json.dumps(identity.settings)
    assert identity.settings["host"] in server.url


def test_every_set_of_prompts_of_a_label_is_another_question():
    """At temperature 0 a model gives the same answer to the same request."""
    with Loopback(says('["a dog on a beach", "a dog in a wood"]')) as server:
        model = OpenAiLanguageModel.load(server.config())
        for variation in range(40):
            model.write_prompts("dog", [], 2, mode="scene", variation=variation, seed=1)
    asked = [request["messages"][-1]["content"] for request in server.requests]
    assert len(set(asked)) == 40
    assert asked[0].endswith("The dog is with its typical features.")
    assert all(question.startswith(asked[0]) for question in asked)


def test_short_prompts_are_asked_for_where_the_profile_wants_them():
    with Loopback(says('["a dog on a beach and far too many other things", "a dog"]')) as server:
        plain = OpenAiLanguageModel.load(server.config())
        short = OpenAiLanguageModel.load(server.config(max_prompt_words=5, max_repairs=0))
        plain.write_prompts("dog", [], 1, mode="scene", seed=1)
        with pytest.raises(AnswerRefused, match="at most 5"):
            short.write_prompts("dog", [], 1, mode="scene", seed=1)
    first, second = (request["messages"][-1]["content"] for request in server.requests)
    assert second == f"{first} Each prompt should have at most 5 words."
    assert plain.identity.settings | {"max_prompt_words": 5} == short.identity.settings


def test_a_schema_says_how_long_a_list_may_be_and_which_words_may_be_used():
    text = '{"placements": [{"label": "cat", "box": [9, 9, 99, 99], "relationship": "by a dog"}]}'
    with Loopback(says(text)) as server:
        model = OpenAiLanguageModel.load(server.config())
        model.place_objects("", [], ["cat", "ball"], 3, size_wh=(64, 64), seed=1)
    (request,) = server.requests
    (placements,) = request["response_format"]["json_schema"]["schema"]["properties"].values()
    assert placements["maxItems"] == 3
    assert placements["items"]["properties"]["label"]["enum"] == ["cat", "ball"]
