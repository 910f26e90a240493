"""Redirects and sizes of answers: what a model's server can make this machine do."""

import gzip
import threading
from dataclasses import replace

import numpy as np
import pytest

from chatgenimage.workers.errors import AnswerRefused, CheckpointNotFound, EndpointUnavailable
from chatgenimage.workers.llm.server import make_client, require_model
from chatgenimage.workers.openai_vision import OpenAiVision
from chatgenimage.workers.server_config import OpenAiVisionConfig
from tests.loopback import KEY, Loopback, Reply, lists, says

GREY = np.full((16, 16, 3), 90, np.uint8)
MEBIBYTE = 2**20


def caption(server, **changes):
    settings = {"model": "seer", "base_url": server.url, "api_key": KEY, "timeout_s": 60}
    config = OpenAiVisionConfig(**{**settings, "max_retries": 0, **changes})
    return OpenAiVision.load(config).caption([GREY])


def redirects(place, status=307):
    return Reply(b"", status, headers={"Location": place})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_another_host_gets_neither_key_nor_image(status):
    with Loopback(says("A dog.")) as other:
        elsewhere = other.url.replace("127.0.0.1", "localhost")
        place = elsewhere.replace("//", "//me:hush@") + "/chat/completions?sig=hush"
        with Loopback(redirects(place, status)) as server, pytest.raises(AnswerRefused) as caught:
            caption(server)
        assert len(server.requests) == 1
    assert other.paths == []
    text = str(caught.value)
    assert f"redirects to {elsewhere}/chat/completions, which is not asked" in text
    assert "Set OPENAI_BASE_URL to the address" in text
    assert "hush" not in text
    assert KEY not in text


def test_another_path_of_the_same_server_is_asked():
    def answer(_request):
        return says("A dog.") if len(server.paths) > 1 else redirects("/v1/new/chat/completions")

    with Loopback(answer) as server:
        assert caption(server) == ["A dog."]
    assert server.paths == ["/v1/chat/completions", "/v1/new/chat/completions"]
    assert server.requests[0] == server.requests[1]


def test_a_redirect_that_would_ask_without_the_question_is_refused():
    with Loopback(redirects("/v1/new", 302)) as server, pytest.raises(AnswerRefused):
        caption(server)
    assert server.paths == ["/v1/chat/completions"]


def test_a_server_that_redirects_in_a_circle_is_refused():
    with (
        Loopback(redirects("/v1/chat/completions")) as server,
        pytest.raises(AnswerRefused, match="redirects more than 5 times"),
    ):
        caption(server)


def test_the_list_of_models_is_not_asked_for_elsewhere():
    with Loopback(lists("asked")) as other:
        place = other.url.replace("127.0.0.1", "localhost") + "/models"
        with (
            Loopback(redirects(place)) as server,
            pytest.raises(
                CheckpointNotFound, match=r"redirects to http://localhost.*Set OPENAI_BASE_URL"
            ),
        ):
            require_model(server.config())
    assert other.paths == []


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_an_answer_that_is_too_large_is_refused_and_not_asked_for_again(encoding):
    content = says("x" * (17 * MEBIBYTE)).body
    body = gzip.compress(content, 1) if encoding == "gzip" else content
    reply = Reply(body, headers={"Content-Encoding": encoding})
    with (
        Loopback(reply) as server,
        pytest.raises(AnswerRefused, match="sends an answer of more than 16 MiB"),
    ):
        caption(server, max_retries=2)
    assert len(server.requests) == 1


def test_an_answer_that_is_compressed_is_read():
    reply = Reply(gzip.compress(says("A dog.").body), headers={"Content-Encoding": "gzip"})
    with Loopback(reply) as server:
        assert caption(server) == ["A dog."]


def test_slots_are_free_again_after_a_refusal():
    with Loopback(redirects("http://elsewhere.test/")) as server:
        client = make_client(server.config(), 5, 0)
        done = threading.Event()

        def ask():
            for _ in range(2):
                with pytest.raises(Exception, match="redirects to http://elsewhere"):
                    client.models.list()
            done.set()

        threading.Thread(target=ask, daemon=True).start()
        assert done.wait(60)


def test_blanks_before_an_answer_do_not_lengthen_its_time():
    slow = replace(says("A dog."), blanks=10)
    with Loopback(slow) as server, pytest.raises(EndpointUnavailable):
        caption(server, timeout_s=0.5)
    with Loopback(slow) as server:
        assert caption(server, timeout_s=30) == ["A dog."]
