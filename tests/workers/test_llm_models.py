"""The server's list of models, which a worker asks for when it starts."""

import pytest

from chatgenimage.workers.errors import CheckpointNotFound
from chatgenimage.workers.llm.server import require_model
from tests.loopback import KEY, Loopback, Reply, fails, lists


@pytest.mark.parametrize(
    "reply",
    [
        lists("asked", "other"),
        lists("models/asked"),
        lists("asked:latest"),
        lists(),
        fails(404),
        fails(405),
        fails(503),
        Reply(b"<html>"),
        Reply(b'{"data": 1}'),
    ],
    ids=[
        "there",
        "google",
        "ollama",
        "empty",
        "no list",
        "405",
        "busy",
        "html",
        "no models",
    ],
)
def test_a_server_that_does_not_deny_the_model_is_taken(reply):
    with Loopback(reply) as server:
        has_model = require_model(server.config())
    assert has_model == (b"asked" in reply.body)
    assert server.requests == ["/v1/models"]


@pytest.mark.parametrize("status", [401, 403])
def test_a_server_that_refuses_the_key_stops_the_start(status):
    with Loopback(fails(status, f"Incorrect API key provided: {KEY}")) as server:
        with pytest.raises(CheckpointNotFound) as caught:
            require_model(server.config())
        require_model(server.config(check_model=False))
    assert len(server.requests) == 1
    assert f"refuses the key ({status}): set OPENAI_API_KEY" in str(caught.value)
    assert "`check_model: false`" in str(caught.value)
    assert KEY not in str(caught.value)


def test_a_model_that_is_not_there_is_refused_with_what_the_server_offers():
    with Loopback(lists(*(f"m{number}" for number in range(14)))) as server:
        with pytest.raises(CheckpointNotFound) as caught:
            require_model(server.config(model="gpt-3.5-turbo"))
        require_model(server.config(model="gpt-3.5-turbo", check_model=False))
    assert len(server.requests) == 1
    for part in ("no model 'gpt-3.5-turbo'", "m0, m1, ", " and 2 more", "`check_model: false`"):
        assert part in str(caught.value)
    assert KEY not in str(caught.value)


def test_a_server_that_is_down_is_left_to_the_first_request():
    require_model(Loopback.config_of("http://127.0.0.1:9/v1", timeout_s=1))
