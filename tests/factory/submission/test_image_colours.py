"""Colour profiles and large chunks of pictures."""

import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from chatgenimage.factory.submission.image_reader import BadPicture, read_picture
from tests.factory.submission import icc

SIDE = 32
MIB = 2**20


def save(folder, mode, colour, name="a.png", **options):
    Image.new(mode, (SIDE, SIDE), colour).save(folder / name, **options)


def centre(picture):
    return picture.pixels[SIDE // 2, SIDE // 2].astype(int).tolist()


def test_display_p3_becomes_srgb(tmp_path):
    save(tmp_path, "RGB", (200, 100, 100), icc_profile=icc.display_p3())
    picture = read_picture(tmp_path, "a.png", 1000)
    red, green, blue = centre(picture)
    # A P3 red of 200 is 213 in sRGB (gamma 2.2 for both); the other two are lower than in P3.
    assert (abs(red - 213) <= 4, abs(green - 92) <= 6, picture.remark) == (True, True, None)
    assert abs(green - blue) <= 6


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_a_profile_applies_below_transparency_and_in_a_palette(tmp_path, mode):
    whole = Image.new("RGBA", (SIDE, SIDE), (200, 100, 100, 255))
    whole.paste((0, 0, 0, 0), (0, 0, SIDE, 4))
    image = whole if mode == "RGBA" else whole.quantize(4)
    image.save(tmp_path / "a.png", icc_profile=icc.display_p3())
    picture = read_picture(tmp_path, "a.png", 1000)
    assert abs(centre(picture)[0] - 213) <= 4
    assert picture.pixels[1, 1].tolist() == [255, 255, 255]


@pytest.mark.parametrize(("mode", "colour"), [("L", 128), ("LA", (128, 255)), ("I;16", 128 * 257)])
def test_grey_is_converted_by_its_profile(tmp_path, mode, colour):
    save(tmp_path, mode, colour, icc_profile=icc.linear_grey())
    picture = read_picture(tmp_path, "a.png", 1000)
    assert picture.remark is None
    assert abs(centre(picture)[0] - 188) <= 2  # half of the light is 188 of 255 in sRGB


def test_cmyk_is_converted_by_its_profile(tmp_path):
    save(tmp_path, "CMYK", (0, 0, 0, 255), "a.jpg", icc_profile=icc.cmyk(), quality=100)
    picture = read_picture(tmp_path, "a.jpg", 1000)
    assert picture.remark is None
    assert 40 <= centre(picture)[0] <= 80  # without the profile it is 0


@pytest.mark.parametrize(
    ("mode", "profile", "remark"),
    [
        ("RGB", b"no profile", "cannot be used"),
        ("RGB", icc.display_p3()[:200], "cannot be used"),
        ("RGB", icc.linear_grey(), "other colours"),
        ("RGB", icc.cmyk(), "other colours"),
    ],
    ids=["no profile", "cut off", "of grey", "of inks"],
)
def test_a_profile_that_cannot_be_used_is_remarked(tmp_path, mode, profile, remark):
    save(tmp_path, mode, (200, 100, 100), icc_profile=profile)
    picture = read_picture(tmp_path, "a.png", 1000)
    assert remark in picture.remark
    assert centre(picture) == [200, 100, 100]


def add_chunk(path, kind, content):
    png = path.read_bytes()
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    chunk = struct.pack(">I", len(content)) + kind + content + checksum
    path.write_bytes(png[:33] + chunk + png[33:])  # behind IHDR


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (b"iTXt", b"workflow\0\1\0\0\0" + zlib.compress(bytes(40 * MIB))),
        (b"zTXt", b"parameters\0\0" + zlib.compress(bytes(40 * MIB))),
        (b"tEXt", b"Comment\0" + b"x" * (70 * MIB)),
    ],
    ids=["iTXt", "zTXt", "tEXt"],
)
def test_nobody_needs_a_large_text(tmp_path, kind, content):
    save(tmp_path, "RGB", (200, 100, 50))
    add_chunk(tmp_path / "a.png", kind, content)
    picture = read_picture(tmp_path, "a.png", 1000)
    assert (centre(picture), picture.remark) == ([200, 100, 50], None)


@pytest.mark.parametrize(("size", "remark"), [(2 * MIB, None), (40 * MIB, "cannot be used")])
def test_a_large_profile_is_read_up_to_a_limit(tmp_path, size, remark):
    save(tmp_path, "RGB", (200, 100, 100))
    content = icc.display_p3().ljust(size, b"\0")
    add_chunk(tmp_path / "a.png", b"iCCP", b"P3\0\0" + zlib.compress(content))
    picture = read_picture(tmp_path, "a.png", 1000)
    assert (picture.remark is None) == (remark is None)
    assert abs(centre(picture)[0] - (200 if remark else 213)) <= 4


def test_the_limits_of_pillow_stay():
    assert PngImagePlugin.MAX_TEXT_CHUNK <= MIB
    assert Image.MAX_IMAGE_PIXELS is not None


def test_a_picture_turned_by_its_metadata_in_a_text_chunk_is_upright(tmp_path):
    Image.new("RGB", (40, 24)).save(tmp_path / "a.png")
    xmp = b'<x xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/>'
    add_chunk(tmp_path / "a.png", b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)
    assert read_picture(tmp_path, "a.png", 1000).pixels.shape == (40, 24, 3)


def test_heic_is_read_with_its_library(tmp_path):
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    Image.new("RGB", (64, 64), (200, 100, 50)).save(tmp_path / "a.heic", quality=95)
    picture = read_picture(tmp_path, "a.heic", 1000)
    assert picture.pixels.shape == (64, 64, 3)
    assert abs(centre(picture)[0] - 200) <= 6


def test_heic_without_its_library_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "a.jpg").write_bytes(b"\0\0\0\x1cftypheic" + bytes(99))
    with pytest.raises(BadPicture, match=r"pip install 'chatgenimage-factory\[heic\]'"):
        read_picture(tmp_path, "a.jpg", 1000)


@pytest.mark.parametrize("mode", ["RGB", "P", "1", "RGBA", "I;16", "CMYK"])
def test_a_picture_reduced_in_strips_equals_one_reduced_as_a_whole(tmp_path, mode, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 255, (37, 53, 3), np.uint8)
    picture = Image.fromarray(noise).resize((530, 370), Image.Resampling.BICUBIC)
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(picture.convert("L"), np.uint16) * 257)
    elif mode == "RGBA":
        picture.putalpha(Image.fromarray(noise[:, :, 0]).resize(picture.size))
    else:
        picture = picture.convert(mode)
    name = "a.jpg" if mode == "CMYK" else "a.png"
    picture.save(tmp_path / name)
    whole = read_picture(tmp_path, name, 53).pixels
    monkeypatch.setattr("chatgenimage.factory.submission.image_reader.STRIP_PX", 1)
    assert (read_picture(tmp_path, name, 53).pixels == whole).all()
