"""The image store: content-addressed PNG files on any fsspec file system."""

import hashlib
import io
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import numpy as np
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from db.errors import ImageBroken, ImageMissing, StoreError
from db.failpoints import Failpoint, reach

PROVENANCE_KEY = "chatgenimage"
ASIDE = "set-aside"
IMAGE_NAME = re.compile(r"([0-9a-f]{64})\.png")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of the store; one whose name is no image's was cut off while it was written."""

    path: str
    sha256: str | None


class ImageStore:
    """Images by the sha256 of their file; a file is whole or it is not there."""

    def __init__(self, url: str) -> None:
        self._fs, self._root = url_to_fs(url)

    def put(self, pixels: NDArray[np.uint8], provenance: Mapping[str, Any]) -> str:
        """Store (H, W, 3) uint8 RGB pixels as PNG and return the sha256 of the file.

        Args:
            pixels: The image.
            provenance: JSON-serialisable; written into the PNG as the text chunk `chatgenimage`.

        Raises:
            StoreError: If the file cannot be written (disk full, no permission).
        """
        content = _encode(pixels, provenance)
        sha256 = hashlib.sha256(content).hexdigest()
        path = self.path_of(sha256)
        try:
            reach(Failpoint.BEFORE_FILE)
            self._write(path, content)  # even if it is there: it may be damaged, or about to go
            reach(Failpoint.AFTER_FILE)
        except OSError as error:
            raise StoreError(
                f"cannot write {path}: {error}. Free some space or check the permissions; "
                "the work waits and goes on by itself."
            ) from error
        return sha256

    def read_bytes(self, sha256: str) -> bytes:
        """Return the stored file.

        Raises:
            ImageMissing: If no such file is stored.
            ImageBroken: If its content is not what was stored.
        """
        try:
            content: bytes = self._fs.cat_file(self.path_of(sha256))
        except FileNotFoundError as error:
            raise ImageMissing(f"the image store has no {self.path_of(sha256)}.") from error
        if hashlib.sha256(content).hexdigest() != sha256:
            raise ImageBroken(f"{self.path_of(sha256)} is damaged: its checksum does not match.")
        return content

    def get(self, sha256: str) -> NDArray[np.uint8]:
        """Return the pixels, (H, W, 3) uint8 RGB."""
        content = self.read_bytes(sha256)
        try:
            with Image.open(io.BytesIO(content)) as image:
                return np.array(image.convert("RGB"))  # a copy: torch wants it writable
        except (UnidentifiedImageError, OSError) as error:
            raise ImageBroken(f"{self.path_of(sha256)} is not a readable image.") from error

    def provenance(self, sha256: str) -> dict[str, Any]:
        """Return what was written into the PNG about its making."""
        with Image.open(io.BytesIO(self.read_bytes(sha256))) as image:
            text = image.info.get(PROVENANCE_KEY, "{}")
        found: dict[str, Any] = json.loads(text)
        return found

    def path_of(self, sha256: str) -> str:
        """Return where an image lies; two levels of folders keep directories small."""
        return f"{self._root}/{sha256[:2]}/{sha256[2:4]}/{sha256}.png"

    def list_files(self) -> Iterator[StoredFile]:
        """Yield everything that lies in the store, but what was set aside."""
        for path in self._fs.find(self._root):
            if not path.startswith(f"{self._root}/{ASIDE}/"):
                yield StoredFile(path, _sha256_in(path))

    def age_s(self, path: str) -> float:
        """Return how long ago a file was written."""
        modified: datetime = self._fs.modified(path)
        return (datetime.now(tz=UTC) - modified).total_seconds()

    def set_aside(self, path: str) -> None:
        """Move a file that nothing needs to where nobody looks for images."""
        self._fs.makedirs(f"{self._root}/{ASIDE}", exist_ok=True)
        self._fs.mv(path, f"{self._root}/{ASIDE}/{path.rsplit('/', 1)[1]}")

    def check_writable(self) -> str:
        """Write and remove a small file; return where the store is.

        Raises:
            StoreError: If that fails.
        """
        path = f"{self._root}/{uuid4().hex}.tmp"
        try:
            self._fs.makedirs(self._root, exist_ok=True)
            self._fs.pipe_file(path, b"")
            self._fs.rm_file(path)
        except OSError as error:
            raise StoreError(
                f"cannot write to {self._root}: {error}. Check the permissions and image_store_url."
            ) from error
        return str(self._root)

    def _write(self, path: str, content: bytes) -> None:
        temporary = f"{path}.{uuid4().hex}.tmp"
        self._fs.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
        try:
            self._fs.pipe_file(temporary, content)
            if isinstance(self._fs, LocalFileSystem):
                _sync(temporary)  # the row must not outlive a power cut that the file does not
            self._fs.mv(temporary, path)
        except OSError:
            if self._fs.exists(temporary):
                self._fs.rm_file(temporary)
            raise


def _sha256_in(path: str) -> str | None:
    found = IMAGE_NAME.fullmatch(path.rsplit("/", 1)[1])
    return found[1] if found else None


def _sync(path: str) -> None:
    with open(path, "rb") as file:  # noqa: PTH123  # a path as fsspec has it
        os.fsync(file.fileno())


def _encode(pixels: NDArray[np.uint8], provenance: Mapping[str, Any]) -> bytes:
    text = PngInfo()
    text.add_itxt(PROVENANCE_KEY, json.dumps(provenance, sort_keys=True, ensure_ascii=False))
    buffer = io.BytesIO()
    Image.fromarray(pixels, "RGB").save(buffer, format="PNG", pnginfo=text)
    return buffer.getvalue()
