"""The image store: content-addressed PNG files in a folder or in a bucket."""

import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from chatgenimage.db.errors import ImageBroken, ImageMissing, StorageUnavailable
from chatgenimage.db.png import decode_png, encode_png
from chatgenimage.db.storage import Storage

PROVENANCE_KEY = "chatgenimage"
ASIDE = "set-aside"
TRIAL = b"written by ChatGenImage to try this place; may be deleted"
IMAGE_NAME = re.compile(r"([0-9a-f]{64})\.png")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in the store; `sha256` is None for a file that was only partly written."""

    path: str
    sha256: str | None


class ImageStore:
    """Images by the sha256 of their file; a file is complete or it does not exist."""

    def __init__(self, url: str, endpoint: str | None = None, *, is_private: bool = False) -> None:
        """Open the store; nothing is read or written yet.

        Args:
            url: A folder, or `s3://bucket/prefix`.
            endpoint: URL of an S3 server that is not Amazon's.
            is_private: Whether files of a folder are for their owner alone (mode 600).

        Raises:
            StoreError: If no installed package supports this kind of URL.
        """
        self._storage = Storage(url, endpoint, is_private=is_private)

    def put(self, pixels: NDArray[np.uint8], provenance: Mapping[str, Any]) -> str:
        """Store (H, W, 3) uint8 RGB pixels as PNG and return the sha256 of the file.

        Args:
            pixels: The image.
            provenance: JSON-serialisable; written into the PNG as the text chunk `chatgenimage`.

        Raises:
            StorageUnavailable: If the file cannot be written (full disk, no permission, no server).
        """
        text = json.dumps(provenance, sort_keys=True, ensure_ascii=False)
        content = encode_png(pixels, PROVENANCE_KEY, text)
        sha256 = hashlib.sha256(content).hexdigest()
        # Also if the file exists: it may be damaged, or about to be removed.
        self._storage.write(self.path_of(sha256), content)
        return sha256

    def read_bytes(self, sha256: str) -> bytes:
        """Return the stored file.

        Raises:
            ImageMissing: If no such file is stored.
            ImageBroken: If its content is not what was stored.
            StorageUnavailable: If it cannot be read now.
        """
        content = self._storage.read(self.path_of(sha256))
        if content is None:
            raise ImageMissing(f"the image store has no {self.path_of(sha256)}.")
        if hashlib.sha256(content).hexdigest() != sha256:
            raise ImageBroken(f"{self.path_of(sha256)} is damaged: its checksum does not match.")
        return content

    def get(self, sha256: str) -> NDArray[np.uint8]:
        """Return the pixels, (H, W, 3) uint8 RGB."""
        content = self.read_bytes(sha256)
        pixels = decode_png(content)
        if pixels is not None:
            return pixels
        try:
            with Image.open(io.BytesIO(content)) as image:
                return np.array(image.convert("RGB"))  # a copy: torch wants it writable
        except (UnidentifiedImageError, OSError) as error:
            raise ImageBroken(f"{self.path_of(sha256)} is not a readable image.") from error

    def provenance(self, sha256: str) -> dict[str, Any]:
        """Return how the image was made, as written into the PNG."""
        with Image.open(io.BytesIO(self.read_bytes(sha256))) as image:
            text = image.info.get(PROVENANCE_KEY, "{}")
        found: dict[str, Any] = json.loads(text)
        return found

    def path_of(self, sha256: str) -> str:
        """Return the path of an image; two levels of folders keep directories small."""
        return f"{self._storage.root}/{sha256[:2]}/{sha256[2:4]}/{sha256}.png"

    def list_files(self) -> Iterator[StoredFile]:
        """Yield all files in the store, except those that were set aside."""
        for path in self._storage.list_paths():
            if not path.startswith(f"{self._storage.root}/{ASIDE}/"):
                yield StoredFile(path, _sha256_in(path))

    def age_s(self, path: str) -> float | None:
        """Return the age of a file in seconds, None if it is gone: a worker may have renamed it."""
        modified = self._storage.modified_at(path)
        if modified is None:
            return None
        return (datetime.now(tz=UTC) - modified).total_seconds()

    def set_aside(self, path: str) -> None:
        """Move an unused file to a folder that is not searched for images; replace none there."""
        folder, name = f"{self._storage.root}/{ASIDE}", path.rsplit("/", 1)[1]
        if self._storage.modified_at(f"{folder}/{name}") is not None:
            name = f"{uuid4().hex}-{name}"
        self._storage.move(path, f"{folder}/{name}")

    def check_writable(self) -> str:
        """Write, read and remove a small file; return where the store is.

        Raises:
            StorageUnavailable: If that fails, or if other content comes back.
        """
        path = f"{self._storage.root}/{uuid4().hex}.tmp"
        self._storage.write(path, TRIAL)
        try:
            found = self._storage.read(path)
        finally:
            self._storage.remove(path)
        if found != TRIAL:
            raise StorageUnavailable(
                f"{self._storage} does not give back what was written there. Check that "
                "image_store_endpoint is an S3 server (not its console, not a proxy's page)."
            )
        return str(self._storage)


def _sha256_in(path: str) -> str | None:
    found = IMAGE_NAME.fullmatch(path.rsplit("/", 1)[1])
    return found[1] if found else None
