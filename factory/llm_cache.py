"""Cache of the answers of paid models in the database: no request is paid for twice."""

from collections.abc import Sequence
from dataclasses import asdict, replace

from chatgenimage.db import spending
from chatgenimage.db.errors import ImageBroken, ImageMissing
from chatgenimage.db.images import ImageStore
from chatgenimage.db.session import Sessions
from chatgenimage.workers.values import Exchange, RgbImage


class DatabaseLlmCache:
    """An ImageCache in the table `llm_answer`; its images are in the image store.

    Each call is one transaction.
    """

    def __init__(self, sessions: Sessions, images: ImageStore) -> None:
        self._sessions = sessions
        self._images = images

    def recall(self, key: str) -> tuple[Exchange, ...]:
        """Return the earlier conversation that answered this request, or ()."""
        with self._sessions() as session:
            found = spending.find_answer(session, key) or []
        return tuple(Exchange(**{**row, "messages": tuple(row["messages"])}) for row in found)

    def remember(self, key: str, exchanges: Sequence[Exchange]) -> None:
        """Store a conversation."""
        with self._sessions.begin() as session:
            spending.add_answer(session, key, [asdict(exchange) for exchange in exchanges])

    def recall_image(self, name: str) -> RgbImage | None:
        """Return the image of an answer; None if its file is gone or damaged."""
        try:
            return self._images.get(name)
        except (ImageMissing, ImageBroken):
            return None

    def remember_image(self, key: str, exchange: Exchange, image: RgbImage) -> Exchange:
        """Store an image that was paid for; return its exchange with the image's name."""
        name = self._images.put(image, {"request": key, "model": exchange.model})
        named = replace(exchange, answer=name)
        with self._sessions.begin() as session:
            spending.add_answer(session, key, [asdict(named)], image_sha256=name)
        return named
