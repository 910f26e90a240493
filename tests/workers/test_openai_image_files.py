"""Files of image servers: alpha, 16 bits, palettes, orientation, sizes, and their prices."""

import io

import numpy as np
import pytest
from PIL import Image
from structlog.testing import capture_logs

from chatgenimage.workers.errors import AnswerRefused
from chatgenimage.workers.llm.image_answers import ImageUnreadable, decode_image
from chatgenimage.workers.llm.image_endpoint import MOST_ANSWER_BYTES
from chatgenimage.workers.openai_images import OpenAiImages
from chatgenimage.workers.paid_calls import collect_calls
from chatgenimage.workers.server_config import OpenAiImagesConfig
from tests.loopback import KEY, Loopback, Reply, paints

SIDE = 32
GREY = np.full((SIDE, SIDE, 3), 90, np.uint8)


def load(server, **changes):
    settings = {"model": "painter", "base_url": server.url, "api_key": KEY, "size": "32x32"}
    return OpenAiImages.load(OpenAiImagesConfig(**settings, max_retries=0, **changes))


def file_of(image, form="PNG", **options):
    content = io.BytesIO()
    image.save(content, form, **options)
    return content.getvalue()


def half_transparent(mode):
    """Return an image of black whose left half is transparent."""
    layer = Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, 255))
    layer.paste((0, 0, 0, 0), (0, 0, SIDE // 2, SIDE))
    if mode == "P":
        indexed = Image.new("P", (SIDE, SIDE), 1)
        indexed.putpalette([0, 0, 0] * 2)
        indexed.paste(0, (0, 0, SIDE // 2, SIDE))
        indexed.info["transparency"] = 0
        return indexed
    return layer.convert(mode)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_white(mode):
    pixels = decode_image(file_of(half_transparent(mode)))
    assert (pixels[:, : SIDE // 2] == 255).all()
    assert (pixels[:, SIDE // 2 :] == 0).all()


def test_half_transparent_pixels_are_mixed_with_white():
    pixels = decode_image(file_of(Image.new("RGBA", (SIDE, SIDE), (255, 0, 0, 128))))
    assert np.abs(pixels[0, 0].astype(int) - (255, 127, 127)).max() <= 1


def test_grey_of_16_bits_is_scaled_and_not_cut():
    ramp = np.tile(np.linspace(0, 65535, SIDE).astype(np.uint16), (SIDE, 1))
    pixels = decode_image(file_of(Image.fromarray(ramp)))
    assert pixels.shape == (SIDE, SIDE, 3)
    assert np.abs(pixels[0, :, 0].astype(int) - np.linspace(0, 255, SIDE)).max() <= 1


def test_colours_of_a_palette_are_kept():
    pixels = decode_image(file_of(Image.new("RGB", (SIDE, SIDE), (200, 30, 30)).quantize(4)))
    assert (pixels == (200, 30, 30)).all()


def test_an_image_is_turned_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = file_of(Image.new("RGB", (48, SIDE)), "JPEG", exif=exif)
    assert decode_image(turned).shape == (48, SIDE, 3)


@pytest.mark.parametrize(
    ("image", "part"),
    [
        (Image.new("RGBA", (SIDE, SIDE)), "entirely transparent"),
        (Image.new("RGB", (1, 1)), "1x1 pixels, and the least is 16"),
    ],
    ids=["transparent", "tiny"],
)
def test_an_image_without_content_is_refused_and_paid(image, part):
    with Loopback(paints(file_of(image))) as server, pytest.raises(AnswerRefused, match=part) as e:
        load(server, price_per_image=2).generate(["a"], [1])
    assert [exchange.cost for exchange in e.value.exchanges] == [2]


def test_a_broken_file_is_refused():
    with pytest.raises(ImageUnreadable, match="cannot be read"):
        decode_image(file_of(Image.new("RGB", (SIDE, SIDE)))[:60])


def test_tokens_of_an_answer_without_an_image_are_paid():
    body = b'{"data": [], "usage": {"input_tokens": 10, "output_tokens": 100}}'
    with Loopback(Reply(body)) as server, pytest.raises(AnswerRefused, match="sent no image") as e:
        load(server, prompt_price=1e6, completion_price=2e6).generate(["a"], [1])
    assert [exchange.cost for exchange in e.value.exchanges] == [210]


def test_an_answer_that_is_too_large_is_paid_and_not_asked_for_again():
    reply = Reply(b" " * (MOST_ANSWER_BYTES + 1))
    with Loopback(reply) as server, pytest.raises(AnswerRefused, match="more than 128 MiB") as e:
        load(server, price_per_image=2).generate(["a"], [1])
    assert len(server.requests) == 1
    assert [exchange.cost for exchange in e.value.exchanges] == [2]


def test_a_file_that_comes_byte_by_byte_ends_at_the_time_limit():
    def answer(request):
        endless = Reply(b"", blanks=10_000)  # it ends when the client leaves
        return endless if isinstance(request, str) else paints("/v1/files/1.png")

    with Loopback(answer) as server, pytest.raises(AnswerRefused, match=r"fetched \(ReadTimeout\)"):
        load(server, timeout_s=5).generate(["a"], [1])  # the answer before it comes in time


def test_another_size_than_asked_for_is_kept_and_logged_once():
    wide = file_of(Image.new("RGB", (48, SIDE)))
    with Loopback(paints(wide)) as server, capture_logs() as logs:
        images = load(server).generate(["a", "b"], [1, 2])
    assert [image.shape for image in images] == [(SIDE, 48, 3)] * 2
    assert [line for line in logs if line["event"] == "image_server_size"] == [
        {
            "event": "image_server_size",
            "log_level": "warning",
            "asked_wh": (32, 32),
            "painted_wh": (48, 32),
        }
    ]


def test_an_edit_of_another_shape_is_refused_instead_of_squeezed():
    wide = file_of(Image.new("RGB", (48, SIDE)))
    with Loopback(paints(wide)) as server, collect_calls() as calls:
        painter = load(server, price_per_image=2)
        with pytest.raises(AnswerRefused, match="painted 48x32 pixels where an image of 32x32"):
            painter.edit([GREY], ["make it red"], [1])
        with pytest.raises(AnswerRefused, match="set `size` of the family"):
            painter.fill([GREY], [np.ones((SIDE, SIDE), bool)], ["a ball"], [1])
    assert [call.cost for call in calls] == [2, 2]
