"""Images of a pass: read in the background before the models ask for them."""

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, wait
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from chatgenimage.tasks.pass_threads import PassThreads

Reading = Future[NDArray[np.uint8]]


class Images(Protocol):
    """The part of the image store that steps use."""

    def get(self, sha256: str) -> NDArray[np.uint8]:
        """Return the pixels, (H, W, 3) uint8 RGB."""
        ...

    def put(self, pixels: NDArray[np.uint8], provenance: Mapping[str, Any]) -> str:
        """Store pixels and return the sha256 of the file."""
        ...


class PassImages:
    """The image store, with some images that are being read already.

    Each is in memory until it was got as often as it was named.
    """

    def __init__(
        self,
        store: Images,
        threads: PassThreads,
        names: Iterable[str],
        ahead: "PassImages | None" = None,
    ) -> None:
        """Start to read the images.

        Args:
            store: The image store.
            threads: Its threads read them.
            names: The sha256 of each image, as often as it will be got.
            ahead: Images that were read because they would probably be needed; those among the
                named ones are not read again.
        """
        there = ahead._reading if ahead else {}  # noqa: SLF001  # another of this class
        self._store = store
        self._lock = threading.Lock()
        self._left = Counter(names)
        self._reading: dict[str, Reading] = {
            sha256: there.get(sha256) or threads.start(store.get, sha256) for sha256 in self._left
        }

    def get(self, sha256: str) -> NDArray[np.uint8]:
        """Return the pixels, as `ImageStore.get`; the caller may change them.

        They are copied only if they will be got again: a copy takes a tenth of the time to decode.
        What was not named, or is got more often, is read from the store, also after a failure.

        Raises:
            StoreError: As `ImageStore.get`.
        """
        if reading := self._reading.get(sha256):
            wait([reading])
        with self._lock:
            pixels = self._take(sha256)
        return self._store.get(sha256) if pixels is None else pixels

    def _take(self, sha256: str) -> NDArray[np.uint8] | None:
        """Return pixels that were being read, counted as got; None: the image is not among them."""
        reading = self._reading.get(sha256)
        if reading is None:
            return None
        self._left[sha256] -= 1
        if self._left[sha256] and not reading.exception():
            return reading.result().copy()
        return self._reading.pop(sha256).result()

    def put(self, pixels: NDArray[np.uint8], provenance: Mapping[str, Any]) -> str:
        """Store pixels, as `ImageStore.put`."""
        return self._store.put(pixels, provenance)
