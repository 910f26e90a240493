import asyncio
import hashlib
import io
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from chatgenimage.factory.gallery.pictures import MOST_ASKED, THUMBNAIL_PX, Thumbnails
from chatgenimage.factory.gallery.server import build_gallery
from chatgenimage.factory.query.store import open_store
from tests import rows

WIDTH_PX, HEIGHT_PX = 1024, 512


def png(width_px, height_px, shade=90):
    buffer = io.BytesIO()
    Image.fromarray(np.full((height_px, width_px, 3), shade, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def big(sqlite_place):
    """A candidate whose image is larger than a thumbnail."""
    with sqlite_place.sessions.begin() as session:
        batch = rows.batch_of(session, rows.add_run(session, ["dog"], state="done"))
        candidate = rows.add_candidate(sqlite_place, session, batch)
        candidate.sha256 = sqlite_place.images.put(
            np.full((HEIGHT_PX, WIDTH_PX, 3), 90, np.uint8), {}
        )
        candidate.width_px, candidate.height_px = WIDTH_PX, HEIGHT_PX
    return sqlite_place, candidate


def test_a_large_image_is_shown_as_a_cached_thumbnail(big):
    place, candidate = big
    address = f"/thumbnails/{candidate.sha256}.webp"
    with open_store(place.data_dir) as store:
        client = TestClient(build_gallery(store), "http://127.0.0.1")
        assert f'src="{address}"' in client.get("/candidates").text
        first = client.get(address)
        next((place.data_dir / "images").rglob(f"{candidate.sha256}.png")).unlink()
        second = client.get(address)
    with Image.open(io.BytesIO(first.content)) as image:
        assert (image.format, image.size) == ("WEBP", (THUMBNAIL_PX, THUMBNAIL_PX // 2))
    assert second.content == first.content
    assert "immutable" in first.headers["cache-control"]


def test_too_many_requests_are_refused_and_the_gallery_continues(big):
    place, candidate = big
    address = f"/thumbnails/{candidate.sha256}.webp"
    with open_store(place.data_dir) as store:
        app = build_gallery(store)

        async def ask_at_once(times):
            return await asyncio.gather(*(status_of(app, address) for _ in range(times)))

        with ThreadPoolExecutor(
            1
        ) as thread:  # the browser of other tests has an event loop in this thread
            refused = Counter(thread.submit(asyncio.run, ask_at_once(200)).result())
            assert thread.submit(asyncio.run, ask_at_once(1)).result() == [200]
        assert set(refused) == {200, 503}
        assert refused[200] == MOST_ASKED


async def status_of(app, path):
    """Return the status of a page, requested through the ASGI application."""
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "query_string": b""}
    await app(scope | {"headers": [(b"host", b"127.0.0.1")]}, None, send)
    return sent[0]["status"]


def test_the_oldest_thumbnails_make_room(tmp_path):
    thumbnails = Thumbnails(tmp_path / "thumbnails", most=4)
    contents = [png(300, 300, shade) for shade in range(10)]
    for content in contents:
        thumbnails.get(hashlib.sha256(content).hexdigest(), lambda content=content: content)
    kept = {path.stem for path in (tmp_path / "thumbnails").iterdir()}
    assert len(kept) <= 4
    assert hashlib.sha256(contents[-1]).hexdigest() in kept


def test_a_full_disk_only_disables_the_thumbnail_cache(tmp_path):
    (tmp_path / "thumbnails").write_text("a file where the folder should be")
    thumbnails = Thumbnails(tmp_path / "thumbnails")
    content = thumbnails.get("0" * 64, lambda: png(300, 300))
    assert content.startswith(b"RIFF")
