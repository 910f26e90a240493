import io

import numpy as np
import pytest
from PIL import Image

from chatgenimage.db.png import encode_png


def noise(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "pixels",
    [
        noise(1, 1),
        noise(1, 7),
        noise(7, 1),
        noise(64, 48),
        np.zeros((16, 16, 3), np.uint8),
        np.full((16, 16, 3), 255, np.uint8),
        noise(32, 32)[::2, ::-1],
    ],
    ids=["one pixel", "a row", "a column", "noise", "black", "white", "a view"],
)
def test_every_pixel_comes_back(pixels):
    with Image.open(io.BytesIO(encode_png(pixels, "key", "text"))) as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
        np.testing.assert_array_equal(np.array(image), pixels)


def test_the_file_has_no_wrong_checksum():
    with Image.open(io.BytesIO(encode_png(noise(9, 9), "key", "text"))) as image:
        image.verify()


@pytest.mark.parametrize("text", ["", "a dog in Zürich, 犬", "x" * 100_000], ids=len)
def test_a_text_of_any_length_comes_back(text):
    with Image.open(io.BytesIO(encode_png(noise(4, 4), "key", text))) as image:
        assert image.info["key"] == text


def test_a_flat_image_is_a_small_file():
    assert len(encode_png(np.full((512, 512, 3), 90, np.uint8), "key", "")) < 10_000
