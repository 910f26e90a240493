import os

import numpy as np
import pytest
from PIL import Image

from chatgenimage.factory.errors import NothingFound
from chatgenimage.factory.export.folder import MANIFEST
from chatgenimage.factory.submission import image_reader
from chatgenimage.factory.submission.image_listing import EXPORT_MANIFEST, list_pictures
from chatgenimage.factory.submission.image_reader import (
    BadPicture,
    printable_name,
    without_warnings,
)

TURN_RIGHT = 6
"""EXIF orientations with the rotation that makes the picture upright."""
ORIENTATION = 0x112
SIZE_WH = (40, 24)


NARROW = "too small: 5000x40 pixels, scaled down 1000x8; .* at least 16"


def read_picture(folder, name, longest_side_px):
    """Return the pixels of a picture that is read without a remark."""
    picture = image_reader.read_picture(folder, name, longest_side_px)
    assert picture.remark is None
    return picture.pixels


@pytest.fixture
def picture():
    """Red above, blue below, and a green corner at the top left."""
    pixels = np.zeros((SIZE_WH[1], SIZE_WH[0], 3), np.uint8)
    pixels[:12, :, 0] = 255
    pixels[12:, :, 2] = 255
    pixels[:8, :8] = (0, 255, 0)
    return Image.fromarray(pixels)


def is_near(found, picture, tolerance=40):
    difference = np.abs(found.astype(int) - np.asarray(picture.convert("RGB")).astype(int))
    return found.dtype == np.uint8 and np.median(difference) <= tolerance


def rgba(picture):
    alpha = Image.new("L", picture.size, 255)
    alpha.paste(0, (0, 12, *picture.size))
    picture = picture.copy()
    picture.putalpha(alpha)
    return picture


@pytest.mark.parametrize(
    ("name", "options", "change"),
    [
        ("a.png", {}, lambda image: image),
        ("A.JPG", {"quality": 95}, lambda image: image),
        ("a.webp", {"lossless": True}, lambda image: image),
        ("cmyk.jpeg", {"quality": 95}, lambda image: image.convert("CMYK")),
        ("palette.png", {}, lambda image: image.quantize(8)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_picture_in_any_form_is_read_as_rgb(tmp_path, picture, name, options, change):
    change(picture).save(tmp_path / name, **options)
    assert is_near(read_picture(tmp_path, name, 1000), picture)


def test_a_picture_is_turned_upright(tmp_path, picture):
    exif = Image.Exif()
    exif[ORIENTATION] = TURN_RIGHT
    lying = picture.transpose(Image.Transpose.ROTATE_90)
    lying.save(tmp_path / "lying.jpg", exif=exif, quality=95)
    assert is_near(read_picture(tmp_path, "lying.jpg", 1000), picture)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_parts_become_white(tmp_path, picture, mode):
    changed = rgba(picture).convert("PA").convert("P") if mode == "P" else rgba(picture)
    if mode == "P":
        changed = rgba(picture).quantize(8)
    elif mode == "LA":
        changed = changed.convert("LA")
    changed.save(tmp_path / "a.png")
    found = read_picture(tmp_path, "a.png", 1000)
    assert (found[12:] > 250).all()
    assert (found[:12] < 250).any()


def test_sixteen_bits_become_eight(tmp_path):
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "deep.png")
    found = read_picture(tmp_path, "deep.png", 1000)
    assert (found[0, 0, 0], found[-1, -1, 0], found.shape) == (0, 255, (64, 64, 3))
    assert abs(int(found[32, 0, 0]) - 128) <= 1


def test_a_large_picture_is_scaled_down_and_a_small_one_is_left(tmp_path, picture):
    picture.resize((4000, 2400)).save(tmp_path / "large.jpg")
    assert read_picture(tmp_path, "large.jpg", 200).shape == (120, 200, 3)
    picture.save(tmp_path / "small.png")
    assert read_picture(tmp_path, "small.png", 200).shape == (24, 40, 3)


def write_truncated(folder, picture):
    picture.resize((300, 300)).save(folder / "a.jpg")
    (folder / "a.jpg").write_bytes((folder / "a.jpg").read_bytes()[:1500])


def write_bomb(folder, _):
    Image.new("1", (30000, 30000)).save(folder / "a.jpg", format="PNG")


def link_out(folder, picture):
    outside = folder.parent / "outside.png"
    picture.save(outside)
    (folder / "a.jpg").symlink_to(outside)


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (lambda folder, _: (folder / "a.jpg").write_bytes(b""), "is empty"),
        (
            lambda folder, _: (folder / "a.jpg").write_text("hello"),
            "is not a heic, jpeg, jpg, png",
        ),
        (lambda folder, image: image.save(folder / "a.jpg", format="GIF"), "is not a heic"),
        (write_truncated, "cannot be read: .*truncated"),
        (write_bomb, "too many pixels: 30000x30000, 900 million; at most 178 million"),
        (lambda folder, image: image.crop((0, 0, 9, 9)).save(folder / "a.jpg"), "too small: 9x9"),
        (
            lambda folder, _: Image.new("L", (5000, 40)).save(folder / "a.jpg"),
            NARROW,
        ),
        (link_out, "is a link out of the folder"),
        (lambda folder, _: (folder / "a.jpg").symlink_to("gone"), "a link to a missing file"),
        (lambda folder, _: (folder / "a.jpg").symlink_to("a.jpg"), "cannot be read|missing file"),
        (lambda folder, _: (folder / "a.jpg").mkdir(), "is not a regular file"),
        (lambda folder, _: os.mkfifo(folder / "a.jpg"), "is not a regular file"),
    ],
    ids=[
        *("empty", "text", "another format", "truncated", "bomb", "small", "narrow"),
        *("link out", "link to a missing file", "link to itself", "folder", "pipe"),
    ],
)
def test_an_unusable_file_is_refused_with_a_reason(tmp_path, picture, write, reason):
    folder = tmp_path / "pictures"
    folder.mkdir()
    write(folder, picture)
    with without_warnings(), pytest.raises(BadPicture, match=reason):
        read_picture(folder, "a.jpg", 1000)


def test_a_link_inside_the_folder_is_read(tmp_path, picture):
    picture.save(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to("a.png")
    assert is_near(read_picture(tmp_path, "b.png", 1000), picture)


def test_pictures_are_listed_by_ending_in_all_subfolders(tmp_path, picture):
    for name in ("b.PNG", "a.webp", "sub/deep/c.jpg", ".hidden.png", ".git/d.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "round").symlink_to(tmp_path)
    listing = list_pictures(tmp_path)
    assert listing.names == ("a.webp", "b.PNG", "sub/deep/c.jpg")
    assert listing.ignored == {".txt": 1}


def test_what_is_left_out_is_listed_in_order(tmp_path):
    (tmp_path / "a.png").touch()
    for name in ("e", "b", "d", "a", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / EXPORT_MANIFEST).touch()
        (tmp_path / f"file.{name}").touch()
    (tmp_path / "more.e").touch()
    listing = list_pictures(tmp_path)
    assert list(listing.skipped) == ["a", "b", "c", "d", "e"]
    assert list(listing.ignored) == [".e", ".a", ".b", ".c", ".d"]


@pytest.mark.parametrize("folder", ["nowhere", "file.txt", "empty"])
def test_a_folder_without_pictures_is_reported(tmp_path, folder):
    (tmp_path / "file.txt").touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(NothingFound, match=folder):
        list_pictures(tmp_path / folder)


def test_what_the_factory_wrote_is_never_input(tmp_path):
    data_dir, store = tmp_path / "data", tmp_path / "elsewhere" / "store"
    for name in ("a.png", "data/run-1-contact-sheet.png", "data/images/ab/c.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name in ("elsewhere/b.jpg", "elsewhere/store/d.png", "dataset/samples.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "dataset" / "export.json").touch()
    listing = list_pictures(tmp_path, data_dir, [store])
    assert listing.names == ("a.png", "elsewhere/b.jpg")
    assert listing.skipped == {"data": 2, "dataset": 1, "elsewhere/store": 1}
    for own in ("data", "dataset", "elsewhere/store"):
        with pytest.raises(NothingFound, match="never input"):
            list_pictures(tmp_path / own, data_dir, [store])
    (data_dir / "mine").mkdir()
    (data_dir / "mine" / "a.png").touch()
    assert list_pictures(data_dir / "mine", data_dir, [store]).names == ("a.png",)


def test_an_export_has_the_file_by_which_it_is_known():
    assert EXPORT_MANIFEST == MANIFEST


@pytest.mark.parametrize("name", ["a.jfif", "a.JPE", "a.jpg", "a.heic", "a.HIF"])
def test_every_usual_ending_is_listed(tmp_path, name):
    (tmp_path / name).touch()
    assert list_pictures(tmp_path).names == (name,)


def test_any_file_name_becomes_text(tmp_path):
    name = os.fsdecode(b"caf\xe9 \x1b[31m.png")
    (tmp_path / name).touch()
    [found] = list_pictures(tmp_path).names
    assert printable_name(found) == "caf\ufffd \ufffd[31m.png"
    assert printable_name("日本 é.png") == "日本 é.png"
