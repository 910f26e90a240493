"""Images over HTTP: originals, and cached thumbnails."""

import io
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import anyio
from anyio.to_thread import run_sync
from PIL import Image
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from chatgenimage.db.errors import ImageBroken, ImageMissing
from chatgenimage.db.pagination import has_image
from chatgenimage.db.session import reading
from chatgenimage.factory.atomic_write import replace_file
from chatgenimage.factory.query.store import Store

THUMBNAIL_PX = 256
"""Longer side; images up to this size are sent as they are."""
MOST_THUMBNAILS = 20_000
AT_ONCE = 2
MOST_ASKED = 64
"""A page has 60 images, and a browser requests a few at a time."""
FOR_EVER = {"Cache-Control": "private, max-age=31536000, immutable"}
"""A URL contains the image's hash, so its content never changes."""
GONE = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" font-family="sans-serif">
<rect width="64" height="64" fill="#8883"/>
<text x="32" y="31" font-size="6" text-anchor="middle" fill="#888">{}</text>
<text x="32" y="40" font-size="4" text-anchor="middle" fill="#888">factory doctor --repair</text>
</svg>"""


class ImageRoutes:
    """Sends images of candidates; only a known hash from the URL is used as a path."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._thumbnails = Thumbnails(store.settings.data_dir / "thumbnails")
        self._limiter = anyio.CapacityLimiter(AT_ONCE)
        self._asked = 0

    async def original(self, request: Request) -> Response:
        """Send an image's original file."""
        sha256: str = request.path_params["sha256"]
        return await self._send(lambda: self._read(sha256), "image/png")

    async def thumbnail(self, request: Request) -> Response:
        """Send an image's thumbnail."""
        sha256: str = request.path_params["sha256"]
        return await self._send(lambda: self._shrink(sha256), "image/webp")

    async def _send(self, read: Callable[[], bytes], media_type: str) -> Response:
        if self._asked >= MOST_ASKED:
            raise HTTPException(503, "too many image requests at once; try again in a moment.")
        self._asked += 1
        try:
            content = await run_sync(read, limiter=self._limiter)
        except (ImageMissing, ImageBroken) as error:
            problem = "file missing" if isinstance(error, ImageMissing) else "file damaged"
            return Response(GONE.format(problem), 404, media_type="image/svg+xml")
        finally:
            self._asked -= 1
        return Response(content, headers=FOR_EVER, media_type=media_type)

    def _read(self, sha256: str) -> bytes:
        with reading(self._store.sessions) as session:
            if not has_image(session, sha256):
                raise ImageMissing(f"no candidate has the image {sha256}.")
        return self._store.images.read_bytes(sha256)

    def _shrink(self, sha256: str) -> bytes:
        return self._thumbnails.get(sha256, lambda: self._read(sha256))


class Thumbnails:
    """A folder of thumbnails by hash; when it is full, the oldest are deleted."""

    def __init__(self, folder: Path, most: int = MOST_THUMBNAILS) -> None:
        self._folder = folder
        self._most = most
        self._lock = threading.Lock()
        self._count = sum(1 for _ in folder.glob("*.webp"))

    def get(self, sha256: str, read: Callable[[], bytes]) -> bytes:
        """Return a thumbnail as WebP; if it cannot be cached, it is made again each time.

        Args:
            sha256: Hash of the image.
            read: Returns the image's file.
        """
        path = self._folder / f"{sha256}.webp"
        try:
            return path.read_bytes()
        except OSError:
            content = shrink(read())
            with suppress(OSError):
                self._keep(path, content)
            return content

    def _keep(self, path: Path, content: bytes) -> None:
        with self._lock:
            replace_file(path, content, is_private=True)
            self._count += 1
            if self._count > self._most:
                self._make_room()

    def _make_room(self) -> None:
        """Delete the older half."""
        by_age = sorted(self._folder.glob("*.webp"), key=lambda path: path.stat().st_mtime)
        for path in by_age[: len(by_age) // 2]:
            path.unlink(missing_ok=True)
        self._count = len(by_age) - len(by_age) // 2


def shrink(content: bytes) -> bytes:
    """Return an image scaled down to a thumbnail, as WebP."""
    with Image.open(io.BytesIO(content)) as image:
        small = image.convert("RGB")
    small.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, format="WEBP", quality=82)
    return buffer.getvalue()
