"""Image servers as they are: what is sent, what comes back, what it costs, and what is refused."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from chatgenimage.workers.errors import (
    AnswerRefused,
    CreditSpent,
    EndpointUnavailable,
    KeyRefused,
    UnfitOptions,
)
from chatgenimage.workers.llm.image_answers import ImageUnreadable, encode_image, resolve_url
from chatgenimage.workers.openai_images import OpenAiImages
from chatgenimage.workers.paid_calls import collect_calls
from chatgenimage.workers.server_config import OpenAiImagesConfig
from chatgenimage.workers.values import NO_OPTIONS, ImageOptions
from tests.loopback import KEY, Loopback, Reply, fails, paints

RED = np.full((32, 32, 3), (200, 30, 30), np.uint8)
GREY = np.full((24, 40, 3), 90, np.uint8)
PNG = encode_image(RED)


def load(server, memory=None, **changes):
    settings = {"model": "painter", "base_url": server.url, "api_key": KEY, "size": "32x32"}
    config = OpenAiImagesConfig(**{**settings, "timeout_s": 60, "max_retries": 0, **changes})
    return OpenAiImages.load(config, memory)


def generate(*replies, **changes):
    """Return one image, the requests, and the calls for the ledger."""
    with Loopback(*replies) as server, collect_calls() as calls:
        [image] = load(server, **changes).generate(["a red dog"], [7])
    return image, server.requests, calls


def refusal_of(*replies, kind=AnswerRefused, **changes):
    with Loopback(*replies) as server, pytest.raises(kind) as caught:
        load(server, **changes).generate(["a red dog"], [7])
    assert caught.type is kind
    return caught.value


def refuses(status, **error):
    return Reply(json.dumps({"error": error}).encode(), status)


def pixels(content):
    return np.array(Image.open(io.BytesIO(content)))


class Memory:
    """A cache in memory."""

    def __init__(self):
        self.answers, self.images = {}, {}

    def recall(self, key):
        return self.answers.get(key, ())

    def recall_image(self, name):
        return self.images.get(name)

    def remember_image(self, key, exchange, image):
        named = replace(exchange, answer=key)
        self.answers[key], self.images[key] = (named,), image
        return named


def test_a_prompt_becomes_an_image_with_its_price():
    image, [request], [call] = generate(paints(PNG), price_per_image=0.04, quality="low")
    assert np.array_equal(image, RED)
    assert request == {
        "model": "painter",
        "prompt": "a red dog",
        "size": "32x32",
        "quality": "low",
        "n": 1,
        "response_format": "b64_json",
    }
    assert (call.question, call.cost, call.problem) == ("image", 0.04, None)
    assert (call.prompt_tokens, call.completion_tokens) == (0, 0)
    assert call.messages == ({"role": "user", "content": "a red dog"},)


def test_tokens_with_a_price_count_and_unknown_ones_are_unknown():
    usage = {"input_tokens": 10, "output_tokens": 100}
    priced = {"prompt_price": 1e6, "completion_price": 2e6}
    assert generate(paints(PNG, usage=usage), **priced)[2][0].cost == 210
    [call] = generate(paints(PNG), **priced)[2]
    assert (call.prompt_tokens, call.completion_tokens) == (None, None)


def test_every_image_of_an_answer_is_paid_for():
    [call] = generate(paints(PNG, PNG, PNG), price_per_image=1)[2]
    assert call.cost == 3


def test_a_parameter_that_the_server_does_not_know_is_left_out_from_then_on():
    unknown = refuses(
        400, message="Unknown parameter: 'response_format'.", code="unknown_parameter"
    )
    with Loopback(unknown, paints(PNG)) as server:
        painter = load(server)
        painter.generate(["a", "b"], [1, 2])
    assert ["response_format" in request for request in server.requests] == [True, False, False]


def test_a_size_that_the_server_does_not_paint_is_not_left_out():
    wrong = refuses(400, message="Invalid value: '32x32'. Supported sizes: 1024x1024.")
    assert "Supported sizes: 1024x1024" in str(refusal_of(wrong))


@pytest.mark.parametrize("path", ["/v1/files/1.png", "http://{host}/made.png"])
def test_an_address_on_the_servers_own_host_is_fetched(path):
    def answer(request):
        if isinstance(request, str):
            return Reply(PNG, content_type="image/png")
        return paints(path.format(host=server.url.split("/")[2]))

    with Loopback(answer) as server:
        [image] = load(server, response_format="url").generate(["a"], [1])
    assert np.array_equal(image, RED)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/a.png", "http://elsewhere.test/a.png", "file:///etc/passwd"]
)
def test_no_other_address_is_fetched(url):
    error = refusal_of(paints(url), price_per_image=2)
    assert "not on its own host, which is not fetched: set `response_format: b64_json`" in str(
        error
    )
    assert error.exchanges[0].cost == 2  # it was painted


def test_the_usual_port_may_be_written():
    url = "https://host.test:443/made.png"
    assert resolve_url(url, "https://host.test/v1") == url
    with pytest.raises(ImageUnreadable, match="not on its own host"):
        resolve_url(url, "https://host.test:8443/v1")


@pytest.mark.parametrize(
    "url", ["http://[::1/a.png", "http://127.0.0.1:ten/a.png", "/v1/\x00a.png"]
)
def test_an_address_that_is_none_is_paid_for_and_refused(url):
    error = refusal_of(paints(url), price_per_image=2)
    assert "the server sent no address of an image" in str(error)
    assert error.exchanges[0].cost == 2


def test_an_image_that_is_not_given_out_is_not_painted_again():
    def answer(request):
        return (
            Reply(b"no", 403) if isinstance(request, str) else paints("/v1/files/1.png?sig=s3cret")
        )

    error = refusal_of(answer, price_per_image=2)
    assert "(HTTP 403): set `response_format: b64_json`" in str(error)
    assert "s3cret" not in str(error)
    assert error.exchanges[0].cost == 2


def test_a_file_is_fetched_again_but_never_painted_again():
    def answer(request):
        if not isinstance(request, str):
            return paints("/v1/files/1.png?sig=s3cret")
        gets = sum(isinstance(one, str) for one in server.requests)
        return Reply(PNG, content_type="image/png") if gets > 1 and is_back else fails(503)

    is_back = True
    with Loopback(answer) as server:
        [image] = load(server, max_retries=1).generate(["a"], [1])
    assert np.array_equal(image, RED)
    is_back = False
    with Loopback(answer) as server, pytest.raises(AnswerRefused) as caught:
        load(server, max_retries=0, price_per_image=2).generate(["a"], [1])
    assert "its image cannot be fetched (HTTPStatusError)" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert [exchange.cost for exchange in caught.value.exchanges] == [2]


@pytest.mark.parametrize(
    ("reply", "part"),
    [
        (
            refuses(400, message="Your request was rejected.", code="moderation_blocked"),
            "content filter refused this request",
        ),
        (
            refuses(400, message="x", code="content_policy_violation"),
            "content filter refused this request",
        ),
        (Reply(b'{"data": []}'), "sent no image"),
        (Reply(b"<html>"), "sent no JSON"),
        (paints(b"GIF89a"), "cannot be read"),
        (Reply(b'{"data": [{"b64_json": "%"}]}'), "cannot be read"),
    ],
    ids=["moderation", "policy", "none", "html", "no image", "no base64"],
)
def test_a_refusal_or_an_unusable_image_says_why_and_is_in_the_ledger(reply, part):
    error = refusal_of(reply, price_per_image=2)
    assert part in str(error)
    is_refusal = reply.status != 200
    assert error.exchanges[0].cost == (0 if is_refusal else 2)  # it may have been painted
    assert error.exchanges[0].problem == str(error)
    assert KEY not in str(error)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (fails(429), EndpointUnavailable),
        (fails(503), EndpointUnavailable),
        (Reply(b'{"error": {"code": 429, "message": "slow down"}}'), EndpointUnavailable),
        (refuses(429, message="x", code="insufficient_quota"), CreditSpent),
        (fails(401), KeyRefused),
    ],
)
def test_a_full_server_is_waited_for_and_an_empty_account_pauses(reply, kind):
    refusal_of(reply, kind=kind)


def test_a_rate_limit_is_waited_out_by_the_client():
    image, requests, _ = generate(fails(429), paints(PNG), max_retries=2)
    assert (image.shape, len(requests)) == ((32, 32, 3), 2)


def test_an_edit_has_its_parents_size_whatever_is_painted():
    with Loopback(paints(PNG)) as server:
        [image] = load(server).edit([GREY], ["make it red"], [1])
    [sent] = server.requests
    assert image.shape == GREY.shape
    assert sent["prompt"] == "make it red"
    assert "mask" not in sent
    assert pixels(sent["image"]).shape == (40, 40, 3)  # as square as the size asked for
    assert np.abs(image.astype(int) - RED[0, 0]).max() <= 1


def test_a_fill_changes_nothing_outside_and_its_mask_is_transparent_inside():
    mask = np.zeros(GREY.shape[:2], bool)
    mask[4:12, 10:20] = True
    with Loopback(paints(PNG)) as server:
        [image] = load(server).fill([GREY], [mask], ["a ball"], [1])
    sent = pixels(server.requests[0]["mask"])
    assert np.array_equal(image[~mask], GREY[~mask])
    assert np.abs(image[mask].astype(int) - RED[0, 0]).max() <= 1
    assert sent.shape == (40, 40, 4)
    assert np.array_equal(sent[8:32, :, 3] == 0, mask)
    assert (sent[8:32][mask][:, :3] == 255).all()  # for servers that look for white


WIDE = ImageOptions((40, 24))


def generate_with(*replies, options=WIDE, **changes):
    """Return the images of one prompt with options and without, and the requests."""
    with Loopback(*replies) as server:
        painter = load(server, Memory(), **changes)
        images = painter.generate_with(["a dog"] * 2, [7, 7], [options, NO_OPTIONS])
    return images, server.requests


def test_an_image_is_asked_for_in_its_own_size():
    images, requests = generate_with(paints(encode_image(GREY)), paints(PNG))
    assert [request["size"] for request in requests] == ["40x24", "32x32"]
    assert [image.shape[:2] for image in images] == [(24, 40), (32, 32)]


def test_another_size_than_the_own_one_is_refused_and_not_paid_again():
    with Loopback(paints(PNG)) as server:
        painter = load(server, Memory())
        for _ in range(2):
            with pytest.raises(UnfitOptions, match="asks for 40x24 pixels, and painter painted 32"):
                painter.generate_with(["a dog"], [7], [WIDE])
    assert len(server.requests) == 1


def test_a_size_is_not_left_out_for_a_server_that_does_not_know_it():
    with pytest.raises(AnswerRefused, match="size"):
        generate_with(refuses(400, message="Unknown parameter: 'size'.", code="unknown_parameter"))


@pytest.mark.parametrize(
    ("options", "size", "part"),
    [
        (ImageOptions(negative_prompt="snow"), "32x32", "painter on a server takes none"),
        (WIDE, None, "does not send `size`"),
    ],
)
def test_options_that_a_server_does_not_take_are_refused(options, size, part):
    with pytest.raises(UnfitOptions, match=part):
        generate_with(paints(PNG), options=options, size=size)


def test_the_same_request_is_not_paid_twice():
    memory = Memory()
    with Loopback(paints(PNG)) as server, collect_calls() as calls:
        painter = load(server, memory, price_per_image=1)
        first, again, other = painter.generate(["a dog"] * 3, [1, 1, 2])
    assert len(server.requests) == 2
    assert [call.is_reused for call in calls] == [False, True, False]
    assert calls[0].request_key == calls[1].request_key != calls[2].request_key
    assert np.array_equal(first, again)
    assert other.shape == first.shape


def test_a_cached_image_whose_file_is_gone_is_asked_for_again():
    memory = Memory()
    with Loopback(paints(PNG)) as server:
        painter = load(server, memory)
        painter.generate(["a dog"], [1])
        memory.images.clear()
        painter.generate(["a dog"], [1])
    assert len(server.requests) == 2
