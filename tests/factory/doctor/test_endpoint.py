"""`factory doctor` with a language model server on loopback that checks the key."""

import socket

import pytest

from chatgenimage.factory.doctor.endpoint import look_at_endpoint
from chatgenimage.workers.server_config import OpenAiConfig
from tests.loopback import KEY, Loopback, Reply, fails, lists


@pytest.fixture
def server():
    """A server that lists two models to clients with the key."""

    def answer(path):
        assert path == "/v1/models"
        if served.authorizations[-1] != f"Bearer {KEY}":
            return fails(401, "Incorrect API key provided")
        return lists("small", "large")

    served = Loopback(answer)
    with served:
        yield served


def test_a_server_with_key_and_model_is_ok(server):
    found = look_at_endpoint(server.config(model="large"))
    assert (found.health, found.text) == ("ok", f"{server.url} accepts the key and has large")


@pytest.mark.parametrize(
    ("changes", "health", "part"),
    [
        ({"api_key": "sk-mistyped"}, "wrong", "refuses the key (401): set OPENAI_API_KEY"),
        ({"api_key": "sk-mistyped", "check_model": False}, "warning", "refuses the key (401)"),
        ({"model": "huge"}, "wrong", "does not list 'huge'; it lists small, large. Set the"),
        ({"model": "huge", "check_model": False}, "warning", "does not list 'huge'"),
    ],
)
def test_a_wrong_key_and_an_unknown_model_give_different_findings(server, changes, health, part):
    found = look_at_endpoint(server.config(**changes))
    assert found.health == health
    assert part in found.text
    assert server.url in found.text
    assert "mistyped" not in found.text


@pytest.mark.parametrize(
    ("reply", "health", "part"),
    [
        (fails(404), "ok", "answers, without a list of models"),
        (fails(405), "ok", "answers, without a list of models"),
        (
            Reply(b"", 307, headers={"Location": "http://elsewhere.test/v1/models"}),
            "wrong",
            "redirects to http://elsewhere.test/v1/models, which is not asked. Set OPENAI_BASE_URL",
        ),
        (fails(503), "wrong", "answers 503: see the server's log"),
        (fails(429), "wrong", "answers 429"),
        (fails(403), "wrong", "refuses the key (403)"),
        (lists(), "ok", "accepts the key"),
        (
            Reply(b"<html>a router</html>", content_type="text/html"),
            "wrong",
            "not OpenAI-compatible",
        ),
        (Reply(b"{"), "wrong", "not OpenAI-compatible: correct OPENAI_BASE_URL"),
    ],
    ids=[
        "no_list",
        "no_such_method",
        "elsewhere",
        "broken",
        "busy",
        "forbidden",
        "empty",
        "html",
        "half",
    ],
)
def test_every_other_response_says_what_to_do(reply, health, part):
    with Loopback(reply) as server:
        found = look_at_endpoint(server.config())
    assert found.health == health
    assert part in found.text


def test_a_server_that_does_not_answer_is_reported():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        found = look_at_endpoint(Loopback.config_of(url))
    assert (found.health, found.text.partition(":")[0]) == ("wrong", "nothing answers at http")
    assert "start the server, or correct OPENAI_BASE_URL" in found.text


def test_without_a_key_the_variable_is_named(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    found = look_at_endpoint(OpenAiConfig())
    assert (found.health, "set OPENAI_API_KEY" in found.text) == ("wrong", True)


def test_a_custom_server_is_called_without_a_key(monkeypatch, server):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert "refuses the key (401)" in look_at_endpoint(server.config(api_key=None)).text
    with Loopback(lists("large")) as open_to_all:
        found = look_at_endpoint(open_to_all.config(api_key=None, model="large"))
    assert found.health == "ok"


@pytest.mark.parametrize("listed", ["models/gemma-3", "gemma-3:latest", "gemma\x1b-3"])
def test_a_model_is_found_under_the_name_that_its_server_lists(listed):
    with Loopback(lists(listed)) as server:
        assert look_at_endpoint(server.config(model="gemma-3")).health == "ok"


def test_no_secret_of_the_address_is_shown():
    with Loopback(fails(500)) as server:
        url = server.url.replace("//", "//me:hush@") + "?api-key=hush"
        found = look_at_endpoint(server.config_of(url))
    assert found.health == "wrong"
    assert "hush" not in found.text
    assert server.url in found.text
