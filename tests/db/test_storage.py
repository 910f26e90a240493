"""The image store in a bucket, on a real S3 server."""

import io
import socket
from contextlib import closing

import numpy as np
import pytest
from PIL import Image

from chatgenimage.db.consistency import find_disagreement
from chatgenimage.db.errors import ImageBroken, ImageMissing, StorageUnavailable, StoreError
from chatgenimage.db.images import ImageStore
from chatgenimage.db.storage import Storage, is_file_below
from tests import s3

PROVENANCE = {"prompt": "a dog in Zürich", "seed": 7, "parent": None}
PIXELS = np.random.default_rng(0).integers(0, 256, (8, 12, 3), dtype=np.uint8)
URL = f"s3://{s3.BUCKET}/images"


@pytest.fixture
def bucket(s3_server):
    """The folder in which the server keeps the images."""
    return s3_server.folder / s3.BUCKET / "images"


@pytest.fixture
def store(bucket, s3_server):
    return ImageStore(URL, s3_server.endpoint)


def objects_in(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_an_image_comes_back_from_a_bucket_with_its_provenance(store, bucket):
    sha256 = store.put(PIXELS, PROVENANCE)
    np.testing.assert_array_equal(store.get(sha256), PIXELS)
    assert store.provenance(sha256) == PROVENANCE
    assert store.path_of(sha256) == f"{URL}/{sha256[:2]}/{sha256[2:4]}/{sha256}.png"
    content = (bucket / sha256[:2] / sha256[2:4] / f"{sha256}.png").read_bytes()
    with Image.open(io.BytesIO(content)) as image:
        assert "Zürich" in image.info["chatgenimage"]


def test_an_image_put_twice_is_one_object_and_nothing_else_is_left(store, bucket):
    sha256 = store.put(PIXELS, PROVENANCE)
    assert store.put(PIXELS, PROVENANCE) == sha256
    assert objects_in(bucket) == [f"{sha256}.png"]


def test_putting_an_image_again_mends_a_damaged_object(store, s3_server):
    sha256 = store.put(PIXELS, PROVENANCE)
    Storage(URL, s3_server.endpoint).write(store.path_of(sha256), b"damaged")
    with pytest.raises(ImageBroken, match="checksum"):
        store.get(sha256)
    store.put(PIXELS, PROVENANCE)
    np.testing.assert_array_equal(store.get(sha256), PIXELS)


def test_an_object_that_was_never_stored_is_missing(store):
    store.put(PIXELS, PROVENANCE)
    with pytest.raises(ImageMissing, match=f"has no {URL}"):
        store.get("0" * 64)


def test_what_lies_in_a_bucket_is_listed_aged_and_set_aside(store, bucket):
    sha256 = store.put(PIXELS, PROVENANCE)
    (file,) = store.list_files()
    assert (file.path, file.sha256) == (store.path_of(sha256), sha256)
    assert 0 <= store.age_s(file.path) < 600
    store.set_aside(file.path)
    assert list(store.list_files()) == []
    assert store.age_s(file.path) is None
    assert objects_in(bucket / "set-aside") == [f"{sha256}.png"]


def test_setting_aside_moves_one_file_whatever_its_name_and_replaces_none(store, s3_server):
    storage = Storage(URL, s3_server.endpoint)
    for name in ("a/note*.txt", "a/notes.txt", "b/notes.txt", "a/[1].txt"):
        storage.write(f"{URL}/{name}", name.encode())
    for name in ("a/note*.txt", "a/[1].txt"):
        store.set_aside(f"{URL}/{name}")
    assert [file.path for file in store.list_files()] == [f"{URL}/{x}/notes.txt" for x in "ab"]
    for x in "ab":
        store.set_aside(f"{URL}/{x}/notes.txt")
    contents = sorted(storage.read(path) for path in storage.list_paths())
    assert contents == [b"a/[1].txt", b"a/note*.txt", b"a/notes.txt", b"b/notes.txt"]


def test_a_file_that_is_gone_is_not_set_aside(store):
    store.put(PIXELS, PROVENANCE)
    store.set_aside(f"{URL}/gone.tmp")


def test_rows_and_objects_are_compared(sqlite_place, store):
    store.put(PIXELS, PROVENANCE)
    found = find_disagreement(sqlite_place.sessions, store, reason="image_missing", min_age_s=-600)
    assert [orphan.path for orphan in found.orphans] == [f.path for f in store.list_files()]


def test_folders_of_a_server_are_not_files(store, bucket):
    (bucket / "ab" / "cd").mkdir(parents=True)
    assert list(store.list_files()) == []
    sha256 = store.put(PIXELS, PROVENANCE)
    assert [file.sha256 for file in store.list_files()] == [sha256]


@pytest.mark.parametrize(
    ("path", "is_file"),
    [("images/ab/x.png", True), ("images/ab/", False), ("images/", False), ("images", False)],
)
def test_an_object_that_stands_for_a_folder_is_not_a_file(path, is_file):
    assert is_file_below("s3://bucket/images", f"s3://bucket/{path}") is is_file


def test_a_bucket_that_can_be_written_to_is_told_with_its_server(store, bucket, s3_server):
    assert store.check_writable() == f"{URL} at {s3_server.endpoint}"
    assert objects_in(bucket) == []


@pytest.mark.parametrize("act", ["put", "get", "check_writable", "list_files"])
def test_a_bucket_that_is_not_there_is_not_made_and_no_image_is_called_missing(act, s3_server):
    store = ImageStore("s3://mistyped/images", s3_server.endpoint)
    with pytest.raises(StoreError, match="Create the bucket") as raised:
        try_to(store, act)
    assert not isinstance(raised.value, ImageMissing)
    assert not (s3_server.folder / "mistyped").exists()


@pytest.mark.parametrize(
    ("key", "secret"), [("nobody", s3.SECRET), (s3.KEY, "wrong")], ids=["key", "secret"]
)
@pytest.mark.parametrize("act", ["put", "get"])
def test_a_wrong_key_is_told_without_telling_it(act, key, secret, s3_server, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    with pytest.raises(StoreError, match="Check AWS_ACCESS_KEY_ID") as raised:
        try_to(ImageStore(URL, s3_server.endpoint), act)
    assert secret not in str(raised.value)


def test_no_key_at_all_is_told(s3_server, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(StoreError, match="Check AWS_ACCESS_KEY_ID"):
        try_to(ImageStore(URL, s3_server.endpoint), "put")


@pytest.mark.parametrize("act", ["put", "get"])
def test_a_server_that_is_away_is_told_and_no_image_is_called_missing(act, s3_keys):
    store = ImageStore(URL, "http://127.0.0.1:9")  # the discard port: no server uses it
    with pytest.raises(StoreError, match="Start the server") as raised:
        try_to(store, act)
    assert not isinstance(raised.value, ImageMissing)


def test_a_place_that_nothing_here_speaks_to_is_told():
    with pytest.raises(StoreError, match="Name a folder or s3://bucket/prefix"):
        Storage("teapot://user:hush@kitchen/images")


def try_to(store, act):
    if act == "put":
        store.put(PIXELS, PROVENANCE)
    elif act == "get":
        store.get("0" * 64)
    elif act == "list_files":
        list(store.list_files())
    else:
        store.check_writable()


def test_an_upload_to_a_server_that_is_silent_ends(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.SECRET)
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        store = Storage(URL, f"http://127.0.0.1:{silent.getsockname()[1]}", upload_s=1.0)
        with pytest.raises(StorageUnavailable, match="Start the server"):
            store.write(f"{store.root}/one.png", b"pixels")
