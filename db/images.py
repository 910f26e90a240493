"""The image store: content-addressed PNG files on any fsspec file system."""

import hashlib
import io
import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import numpy as np
from fsspec.core import url_to_fs
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from db.errors import ImageBroken, ImageMissing, StoreError
from db.failpoints import Failpoint, reach

PROVENANCE_KEY = "chatgenimage"


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
            if not self._fs.exists(path):
                reach(Failpoint.BEFORE_FILE)
                self._write(path, content)
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

    def _write(self, path: str, content: bytes) -> None:
        temporary = f"{path}.{uuid4().hex}.tmp"
        self._fs.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
        try:
            self._fs.pipe_file(temporary, content)
            self._fs.mv(temporary, path)
        except OSError:
            if self._fs.exists(temporary):
                self._fs.rm_file(temporary)
            raise


def _encode(pixels: NDArray[np.uint8], provenance: Mapping[str, Any]) -> bytes:
    text = PngInfo()
    text.add_itxt(PROVENANCE_KEY, json.dumps(provenance, sort_keys=True, ensure_ascii=False))
    buffer = io.BytesIO()
    Image.fromarray(pixels, "RGB").save(buffer, format="PNG", pnginfo=text)
    return buffer.getvalue()
