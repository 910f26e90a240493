import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from chatgenimage.db.png import FIRST_BYTES, decode_png, encode_png


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


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (64, 48)])
def test_every_pixel_is_read_back_without_pillow(shape):
    pixels = noise(*shape)
    found = decode_png(encode_png(pixels, "key", "text"))
    np.testing.assert_array_equal(found, pixels)
    assert found.flags.writeable
    assert found.flags.c_contiguous


def png_of_pillow(pixels):
    text = PngInfo()
    text.add_itxt("key", "text")  # so that it has the same chunks, with other filters
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", pnginfo=text)
    return file.getvalue()


ours = encode_png(noise(16, 16), "key", "text")


@pytest.mark.parametrize(
    "content",
    [
        png_of_pillow(noise(16, 16)),
        png_of_pillow(noise(16, 16)[..., 0]),
        b"",
        b"GIF89a",
        ours[:-30],
        ours[:60],
        ours[:16] + struct.pack(">II", 2**31, 2**31) + ours[24:],
        ours[:16] + struct.pack(">II", 16, 17) + ours[24:],
        ours[:16] + struct.pack(">II", 0, 16) + ours[24:],
    ],
    ids=[
        "other filters",
        "grey",
        "empty",
        "no PNG",
        "cut in the pixels",
        "cut before",
        "huge",
        "too few rows",
        "no column",
    ],
)
def test_files_of_others_and_damaged_files_are_left_to_pillow(content):
    assert decode_png(content) is None


def test_the_file_has_no_wrong_checksum():
    with Image.open(io.BytesIO(encode_png(noise(9, 9), "key", "text"))) as image:
        image.verify()


@pytest.mark.parametrize("text", ["", "a dog in Zürich, 犬", "x" * 100_000], ids=len)
def test_a_text_of_any_length_comes_back(text):
    with Image.open(io.BytesIO(encode_png(noise(4, 4), "key", text))) as image:
        assert image.info["key"] == text


def test_the_first_bytes_are_compressed_alone_so_that_equal_images_have_equal_files():
    file = encode_png(noise(16, 16), "key", "text")
    stream = file[file.index(b"IDAT") + 4 :]
    end_of_flush = stream.index(b"\x00\x00\xff\xff") + 4
    assert len(zlib.decompressobj().decompress(stream[:end_of_flush])) == FIRST_BYTES


def test_a_flat_image_is_a_small_file():
    assert len(encode_png(np.full((512, 512, 3), 90, np.uint8), "key", "")) < 10_000


WITHOUT_ISAL = """
import sys
sys.modules["isal"] = None
from chatgenimage.db import png
assert png.zlib.__name__ == "zlib"
import numpy as np
pixels = np.random.default_rng(0).integers(0, 256, (64, 48, 3), np.uint8)
np.testing.assert_array_equal(png.decode_png(sys.stdin.buffer.read()), pixels)
sys.stdout.buffer.write(png.encode_png(pixels, "key", "text"))
"""


@pytest.mark.processes
def test_with_and_without_isal_each_reads_what_the_other_wrote():
    pixels = noise(64, 48)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_ISAL],
        input=encode_png(pixels, "key", "text"),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    np.testing.assert_array_equal(decode_png(done.stdout), pixels)
