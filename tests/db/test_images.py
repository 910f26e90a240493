import hashlib
import io
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chatgenimage.db.errors import ImageBroken, ImageMissing, StoreError
from chatgenimage.db.images import ImageStore
from tests.deep_folder import make_deep_folder

PROVENANCE = {"prompt": "a dog in Zürich", "seed": 7, "parent": None, "model": {"family": "sd"}}


@pytest.fixture
def store(tmp_path):
    return ImageStore(str(tmp_path / "images"))


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (8, 12, 3), dtype=np.uint8)


def files_under(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_an_image_comes_back_pixel_for_pixel(store, pixels):
    np.testing.assert_array_equal(store.get(store.put(pixels, PROVENANCE)), pixels)


def test_a_file_that_another_program_or_an_earlier_version_wrote_is_read(store, pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    sha256 = hashlib.sha256(file.getvalue()).hexdigest()
    path = Path(store.path_of(sha256))
    path.parent.mkdir(parents=True)
    path.write_bytes(file.getvalue())
    np.testing.assert_array_equal(store.get(sha256), pixels)


def test_an_image_comes_back_writable_as_torch_wants_it(store, pixels):
    assert store.get(store.put(pixels, PROVENANCE)).flags.writeable


def test_an_image_is_named_after_its_content(store, pixels):
    sha256 = store.put(pixels, PROVENANCE)
    assert hashlib.sha256(Path(store.path_of(sha256)).read_bytes()).hexdigest() == sha256
    assert hashlib.sha256(store.read_bytes(sha256)).hexdigest() == sha256


def test_the_same_image_is_stored_once_and_another_origin_apart(store, pixels, tmp_path):
    first = store.put(pixels, PROVENANCE)
    assert store.put(pixels, PROVENANCE) == first
    assert store.put(pixels, {**PROVENANCE, "seed": 8}) != first
    assert len(files_under(tmp_path)) == 2


def test_the_png_tells_how_it_was_made(store, pixels):
    sha256 = store.put(pixels, PROVENANCE)
    assert store.provenance(sha256) == PROVENANCE
    with Image.open(store.path_of(sha256)) as image:
        assert "Zürich" in image.info["chatgenimage"]


def test_an_image_that_was_never_stored_is_missing(store):
    with pytest.raises(ImageMissing, match="has no"):
        store.get("0" * 64)


@pytest.mark.parametrize("damage", [b"", b"no image at all"], ids=["empty", "other"])
def test_a_damaged_file_is_broken(store, pixels, damage):
    sha256 = store.put(pixels, PROVENANCE)
    Path(store.path_of(sha256)).write_bytes(damage)
    with pytest.raises(ImageBroken, match="checksum"):
        store.get(sha256)


def test_one_flipped_bit_is_noticed(store, pixels):
    sha256 = store.put(pixels, PROVENANCE)
    path = Path(store.path_of(sha256))
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    with pytest.raises(ImageBroken):
        store.get(sha256)


def test_a_file_that_is_no_image_is_broken_even_under_its_right_name(store):
    content = io.BytesIO(b"text").getvalue()
    sha256 = hashlib.sha256(content).hexdigest()
    path = Path(store.path_of(sha256))
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(ImageBroken, match="not a readable image"):
        store.get(sha256)


def test_a_write_that_fails_says_so_and_leaves_nothing(store, pixels, tmp_path):
    (tmp_path / "images").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match="cannot write"):
        store.put(pixels, PROVENANCE)
    assert [path.name for path in files_under(tmp_path)] == ["images"]


def test_a_file_that_is_gone_has_no_age(store, pixels):
    path = store.path_of(store.put(pixels, PROVENANCE))
    assert store.age_s(path) >= 0
    Path(path).unlink()
    assert store.age_s(path) is None


def test_a_folder_that_cannot_be_read_is_an_error_and_not_taken_for_empty(store, pixels, tmp_path):
    store.put(pixels, PROVENANCE)
    make_deep_folder(tmp_path / "images")
    with pytest.raises(StoreError, match=r"cannot list .* too long"):
        list(store.list_files())
    shutil.rmtree(tmp_path / "images")


@pytest.mark.skipif(os.name != "posix", reason="needs /dev/full's neighbours")
def test_a_rename_that_fails_takes_its_temporary_file_away(store, pixels, tmp_path):
    sha256 = store.put(pixels, PROVENANCE)
    path = Path(store.path_of(sha256))
    path.unlink()
    path.parent.rename(tmp_path / "elsewhere")
    path.parent.parent.joinpath(path.parent.name).symlink_to("/proc/self/fdinfo")
    with pytest.raises(StoreError, match="cannot write"):
        store.put(pixels, PROVENANCE)
    assert files_under(tmp_path) == []


def test_images_may_lie_anywhere_that_fsspec_reaches(pixels):
    store = ImageStore("memory://somewhere")
    sha256 = store.put(pixels, PROVENANCE)
    np.testing.assert_array_equal(store.get(sha256), pixels)
    assert store.provenance(sha256) == PROVENANCE
