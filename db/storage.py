"""File storage in a folder or in an S3 bucket; a file is complete or it does not exist."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from fsspec.asyn import sync
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from chatgenimage.db import bucket_errors
from chatgenimage.db.addresses import show_address
from chatgenimage.db.bucket_errors import WAITS
from chatgenimage.db.errors import StorageUnavailable, StoreError
from chatgenimage.db.failpoints import Failpoint, reach
from chatgenimage.db.private_files import PRIVATE_FILE

T = TypeVar("T")

S3_OPTIONS = {
    "skip_instance_cache": True,  # a cached client keeps the credentials of its creation
    "use_listings_cache": False,  # other processes write too
    "config_kwargs": {"connect_timeout": 5, "read_timeout": 20, "retries": {"max_attempts": 2}},
}
"""A request to a silent server fails after three attempts of 20 s; the work then waits."""
UPLOAD_S = 60.0
"""Longest upload of one image: botocore waits without a limit for leave to send the content."""
PNG = {"ContentType": "image/png"}
BUCKET_URL = re.compile(r"s3a?://[^/]+(/[^/].*)?/*")
"""A name and a prefix. s3fs lists nothing below a prefix that begins with a slash."""


class Storage:
    """Files under one root; every failure is a `StorageUnavailable` with advice.

    Attributes:
        root: The folder, or `s3://bucket/prefix`; every path starts with it.
    """

    def __init__(
        self,
        url: str,
        endpoint: str | None = None,
        *,
        is_private: bool = False,
        upload_s: float = UPLOAD_S,
    ) -> None:
        self._is_private = is_private
        self._upload_s = upload_s
        self._is_s3 = url.lower().startswith(("s3:", "s3a:"))
        if self._is_s3 and not BUCKET_URL.fullmatch(url):
            raise StoreError(
                f"cannot use image_store_url {show_address(url)}: expected s3://bucket or "
                "s3://bucket/prefix, with s3 in lower case and no slash at the start of the prefix."
            )
        self._endpoint = endpoint
        options = {**S3_OPTIONS, "endpoint_url": endpoint} if self._is_s3 else {}
        try:
            self._fs, root = url_to_fs(url, **options)
        except (ImportError, ValueError) as error:
            raise StoreError(
                f"cannot use image_store_url: {error}. Name a folder or s3://bucket/prefix; the "
                "latter needs pip install '.[s3]'."
            ) from error
        self._is_folder = isinstance(self._fs, LocalFileSystem)
        self.root: str = root if self._is_folder else self._fs.unstrip_protocol(root)
        if self._is_s3:
            self._fs.retries = 1  # s3fs would repeat all attempts of botocore five times
        self._faults = bucket_errors.client_errors() if self._is_s3 else (OSError,)

    def __str__(self) -> str:
        """Return the root, and the server if one is set."""
        return f"{self.root} at {self._endpoint}" if self._endpoint else self.root

    def write(self, path: str, content: bytes) -> None:
        """Write a whole file; replaces an existing one."""
        with self._explaining(f"write {path}"):
            reach(Failpoint.BEFORE_FILE)
            if self._is_s3:  # one request: the object appears complete or not at all
                self._upload(path, content)
            else:
                self._write_and_rename(path, content)
            reach(Failpoint.AFTER_FILE)

    def _upload(self, path: str, content: bytes) -> None:
        upload = self._fs._pipe_file  # noqa: SLF001  # fsspec's name for the asynchronous method
        sync(self._fs.loop, upload, path, content, **PNG, timeout=self._upload_s)

    def read(self, path: str) -> bytes | None:
        """Return a file's content, None if there is no such file."""
        with self._explaining(f"read {path}"):
            # One request: s3fs would ask for the size first, and a refusal of that has no reason.
            options = {"max_concurrency": 1} if self._is_s3 else {}
            content: bytes | None = _unless_gone(partial(self._fs.cat_file, **options), path)
        return content

    def list_paths(self) -> Iterator[str]:
        """Yield the path of every file, sorted."""
        with self._explaining(f"list {self.root}"):
            found = _files_in(self.root) if self._is_folder else self._fs.find(self.root)
        paths = found if self._is_folder else map(self._fs.unstrip_protocol, found)
        yield from (path for path in paths if is_file_below(self.root, path))

    def modified_at(self, path: str) -> datetime | None:
        """Return the time when a file was written, None if there is no such file."""
        with self._explaining(f"look at {path}"):
            modified: datetime | None = _unless_gone(self._fs.modified, path)
        return modified

    def move(self, path: str, to: str) -> None:
        """Move a file; nothing happens if it is gone."""
        with self._explaining(f"move {path}"):
            self._make_parent(to)
            _unless_gone(partial(self._rename, to=to), path)

    def remove(self, path: str) -> None:
        """Delete a file."""
        with self._explaining(f"remove {path}"):
            self._fs.rm_file(path)

    def _rename(self, path: str, to: str) -> None:
        if self._is_folder:
            self._fs.mv(path, to)
        else:  # `mv` takes a name with *, ? or [ for a pattern, and moves every file that matches
            self._fs.cp_file(path, to)
            self._fs.rm_file(path)

    def _write_and_rename(self, path: str, content: bytes) -> None:
        """Write a file under another name, then rename it: no reader sees half of it."""
        temporary = f"{path}.{uuid4().hex}.tmp"
        self._make_parent(path)
        try:
            self._fs.pipe_file(temporary, content)
            if self._is_folder:
                _allow(temporary, is_private=self._is_private)
                _sync(temporary)  # so that no row outlives its file in a power cut
            self._rename(temporary, path)
        except OSError:
            if self._fs.exists(temporary):
                self._fs.rm_file(temporary)
            raise

    def _make_parent(self, path: str) -> None:
        if not self._is_s3:  # a bucket has no folders; a mistyped bucket must not be created
            self._fs.makedirs(path.rsplit("/", 1)[0], exist_ok=True)

    @contextmanager
    def _explaining(self, doing: str) -> Iterator[None]:
        try:
            yield
        except self._faults as error:
            reason = bucket_errors.cause_of(error)
            raise StorageUnavailable(f"cannot {doing}: {reason}. {self._remedy(error)}") from error

    def _remedy(self, error: Exception) -> str:
        """Return what to do about an error."""
        if self._is_s3:
            return bucket_errors.remedy_of(error)
        return f"Free some space, or check the permissions and image_store_url; {WAITS}"


def is_file_below(root: str, path: str) -> bool:
    """Tell a file from a folder, both as `find` of s3fs lists them.

    It also returns the root itself, if that holds only empty folders, and the objects with a name
    that ends in a slash, which consoles make for a folder.
    """
    return path.startswith(f"{root}/") and not path.endswith("/")


def _unless_gone(call: Callable[[str], T], path: str) -> T | None:
    """Return what a call returns for a file, None if there is no such file in the store."""
    try:
        return call(path)
    except FileNotFoundError as error:
        if bucket_errors.code_of(error) not in (None, bucket_errors.NO_SUCH_KEY):
            raise  # there is no bucket, or the server is not an S3 server
        return None


def _files_in(root: str) -> list[str]:
    """Return the path of every file, sorted; a folder that cannot be read is an error.

    `find` of fsspec leaves out such a folder, and its files would look lost.
    """
    folders = os.walk(root, onerror=_raise_unless_gone, followlinks=True)
    return sorted(f"{folder}/{name}" for folder, _, names in folders for name in names)


def _raise_unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _allow(path: str, *, is_private: bool) -> None:
    """Let only the owner read a private file; others are as the umask says."""
    if is_private:
        Path(path).chmod(PRIVATE_FILE)


def _sync(path: str) -> None:
    with open(path, "rb") as file:  # noqa: PTH123  # a path as fsspec has it
        os.fsync(file.fileno())
