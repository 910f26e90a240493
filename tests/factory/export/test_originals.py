"""Files of a person's pictures: their names and sizes in every export, or the files themselves."""

import csv
import hashlib
import io
import tarfile
from dataclasses import asdict

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select
from typer.testing import CliRunner

from chatgenimage.db.models import Candidate
from chatgenimage.db.session import engine_of
from chatgenimage.factory.cli import app
from chatgenimage.factory.errors import NothingFound
from chatgenimage.factory.export.originals import to_upright_png
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.submission.image_import import import_pictures
from chatgenimage.factory.submission.image_reader import ORIENTATION
from tests import rows
from tests.factory import exports
from tests.factory.exports import export_as

LONGEST_SIDE_PX = 64
TURN_RIGHT = 6
RED_BOX = (100, 40, 180, 120)
"""Of the red square in each original, which is 320 x 240."""


@pytest.fixture(params=["sqlite", "postgres"])
def place(request):
    return request.getfixturevalue(f"{request.param}_place")


def square(blue):
    image = Image.new("RGB", (320, 240), (0, 90, blue))
    image.paste("red", RED_BOX)
    return image


@pytest.fixture
def folder(tmp_path):
    """Three pictures: a JPEG, a JPEG that lies on its side, and a PNG in a folder."""
    folder = tmp_path / "mine"
    (folder / "below").mkdir(parents=True)
    square(0).save(folder / "a.JPG", quality=95)
    exif = Image.Exif()
    exif[ORIENTATION] = TURN_RIGHT
    square(80).transpose(Image.Transpose.ROTATE_90).save(folder / "b.jpg", quality=95, exif=exif)
    square(160).save(folder / "below" / "c.png")
    return folder


@pytest.fixture
def imported(place, folder):
    """The pictures as a run; the red square is found on each stored copy."""
    url = engine_of(place.sessions).url.render_as_string(hide_password=False)
    chain = {"source": "pictures", "rounds": 0, "longest_side_px": LONGEST_SIDE_PX}
    settings = load_settings(
        "micro", data_dir=place.data_dir, database_url=url, chain=chain | {"class_list": ["gift"]}
    )
    import_pictures(place.sessions, settings, folder)
    with place.sessions.begin() as session:
        for candidate in session.scalars(select(Candidate)):
            candidate.verdict, candidate.object_count = "accepted", 1
            mask = np.zeros((48, 64), dtype=bool)
            mask[8:24, 20:36] = True
            candidate.annotations.append(rows.annotation("gift", (20, 8, 36, 24), mask))
    return place


def red_box(image):
    """Return the box around what is red."""
    red, green, _ = np.asarray(image.convert("RGB"), dtype=int).transpose(2, 0, 1)
    y, x = np.nonzero((red > 200) & (green < 60))
    return (x.min(), y.min(), x.max() + 1, y.max() + 1)


def sources_of(out):
    with (out / "sources.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_an_import_remembers_size_and_checksum_of_each_file(imported, folder):
    with imported.sessions() as session:
        found = session.scalars(select(Candidate).order_by(Candidate.id)).all()
    assert [one.source_name for one in found] == ["a.JPG", "b.jpg", "below/c.png"]
    for one in found:
        assert (one.width_px, one.height_px) == (64, 48)
        assert (one.source_width_px, one.source_height_px) == (320, 240)
        content = (folder / one.source_name).read_bytes()
        assert one.source_sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("name", ["yolo-detect", "voc", "label-studio"])
def test_every_format_has_a_table_of_the_files(imported, out, name):
    export_as(imported, name, out, splits="train=1")
    sources = sources_of(out)
    assert [one["source_name"] for one in sources] == ["a.JPG", "b.jpg", "below/c.png"]
    assert {(one["source_width"], one["source_height"]) for one in sources} == {("320", "240")}
    assert {(one["width"], one["height"], one["split"]) for one in sources} == {
        ("64", "48", "train")
    }
    assert all(list(out.rglob(one["file_name"])) for one in sources)
    assert "[sources.csv](sources.csv)" in (out / "README.md").read_text()


def test_made_images_have_no_such_table(filled_place, out):
    export_as(filled_place, "yolo-detect", out)
    assert not (out / "sources.csv").exists()


@pytest.mark.parametrize("encoding", ["rle", "polygons"])
def test_boxes_and_masks_are_in_the_pixels_of_the_original(imported, folder, out, encoding):
    done = export_as(imported, "coco", out, masks=encoding, originals=(folder,))
    assert done.missing_originals == 0
    coco = exports.read_coco(out / "annotations" / "instances_train.json")
    for image in coco.imgs.values():
        path = out / "images" / "train" / image["file_name"]
        with Image.open(path) as opened:
            assert opened.getexif().get(ORIENTATION, 1) == 1
            assert opened.size == (image["width"], image["height"]) == (320, 240)
            box = red_box(opened)
        [found] = coco.imgToAnns[image["id"]]
        x, y, width, height = found["bbox"]
        np.testing.assert_allclose((x, y, x + width, y + height), box, atol=1)
        assert (x, y, x + width, y + height) == RED_BOX
        mask = coco.annToMask(found)
        assert mask.shape == (240, 320)
        assert mask.sum() == found["area"] == mask[40:120, 100:180].sum() == 80 * 80


def test_files_are_copied_byte_for_byte_unless_they_must_be_turned(imported, folder, out):
    done = export_as(imported, "yolo-detect", out, splits="train=1", originals=(folder,))
    names = {one["source_name"]: one["file_name"] for one in sources_of(out)}
    images = out / "images" / "train"
    assert (images / names["a.JPG"]).read_bytes() == (folder / "a.JPG").read_bytes()
    assert (images / names["below/c.png"]).read_bytes() == (folder / "below/c.png").read_bytes()
    assert [name.rpartition(".")[2] for name in names.values()] == ["jpg", "png", "png"]
    with Image.open(images / names["b.jpg"]) as turned:
        assert turned.size == (320, 240)
        np.testing.assert_allclose(red_box(turned), RED_BOX, atol=1)
    assert "upright PNG files with the same pixels" in str(done)
    labels = {path.read_text() for path in out.glob("labels/train/*.txt")}
    assert labels == {"0 0.437500 0.333333 0.250000 0.333334\n"}


@pytest.mark.models
def test_webdataset_has_png_files_of_the_original_pixels(imported, folder, out, tmp_path):
    import datasets

    datasets.disable_progress_bars()
    export_as(imported, "webdataset", out, originals=(folder,))
    loaded = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))["train"]
    assert [row["png"].size for row in loaded] == [(320, 240)] * 3
    with tarfile.open(out / "train-000000.tar") as tar:
        first = tar.extractfile(next(name for name in tar.getnames() if name.endswith("png")))
        content = first.read()
    with Image.open(io.BytesIO(content)) as png, Image.open(folder / "a.JPG") as original:
        np.testing.assert_array_equal(exports.pixels_of(png), exports.pixels_of(original))


def test_what_is_missing_is_said_counted_and_exported_as_the_stored_copy(imported, folder, out):
    (folder / "a.JPG").unlink()
    square(5).save(folder / "b.jpg")
    done = export_as(imported, "coco", out, originals=(folder,))
    assert done.missing_originals == 2
    told = "2 of 3 original files are not available (not found 1, changed 1): a.JPG, b.jpg."
    assert told in str(done)
    assert told in (out / "README.md").read_text()
    sizes = {one["source_name"]: one["width"] for one in sources_of(out)}
    assert sizes == {"a.JPG": "64", "b.jpg": "64", "below/c.png": "320"}


def test_several_folders_are_searched_by_content(imported, folder, out, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    square(5).save(other / "b.jpg")
    (folder / "a.JPG").rename(other / "a.JPG")
    done = export_as(imported, "coco", out, originals=(other, folder))
    assert asdict(done)["missing_originals"] == 0
    with pytest.raises(NothingFound, match="is not a folder"):
        export_as(imported, "coco", tmp_path / "new", originals=(tmp_path / "none",))


def test_pictures_of_earlier_versions_have_no_checksum(imported, folder, out):
    with imported.sessions.begin() as session:
        session.get_one(Candidate, 1).source_sha256 = None
    done = export_as(imported, "coco", out, originals=(folder,))
    assert "annotated by an earlier version, which kept no checksum 1" in str(done)


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_the_command_ends_with_one_if_files_are_missing(imported, folder, out):
    words = ["export", "coco", "--out", str(out), "--data-dir", str(imported.data_dir)]
    ended = CliRunner().invoke(app, [*words, "--originals", str(folder)])
    assert ended.exit_code == 0, ended.output
    assert "--originals FOLDER" in (out / "README.md").read_text()
    (folder / "a.JPG").unlink()
    ended = CliRunner().invoke(app, [*words, "--originals", str(folder), "--overwrite"])
    assert ended.exit_code == 1
    assert "1 of 3 original files are not available (not found 1): a.JPG." in ended.stdout


@pytest.mark.parametrize("mode", ["CMYK", "L", "P", "RGBA", "I;16"])
def test_a_picture_of_any_mode_becomes_a_png(tmp_path, mode):
    suffix = "jpg" if mode == "CMYK" else "png"
    image = square(0).convert("RGBA" if mode == "RGBA" else "RGB")
    if mode == "I;16":
        image = Image.fromarray(np.full((24, 32), 40_000, np.uint16))
    elif mode in {"CMYK", "L"}:
        image = image.convert(mode)
    elif mode == "P":
        image = image.quantize(8)
    image.save(tmp_path / f"a.{suffix}")
    with Image.open(io.BytesIO(to_upright_png((tmp_path / f"a.{suffix}").read_bytes()))) as png:
        assert (png.format, png.size) == ("PNG", image.size)
