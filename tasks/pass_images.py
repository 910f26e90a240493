"""Images of a pass: read in the background before the models ask for them."""

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
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

    They are in memory as long as this object.
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
            names: The sha256 of each image.
            ahead: Images that were read on suspicion; those among them are not read again.
        """
        there = ahead._reading if ahead else {}  # noqa: SLF001  # another of this class
        self._store = store
        self._reading: dict[str, Reading] = {
            sha256: there.get(sha256) or threads.start(store.get, sha256)
            for sha256 in dict.fromkeys(names)
        }

    def get(self, sha256: str) -> NDArray[np.uint8]:
        """Return a copy of the pixels, as `ImageStore.get`; a failure is read again the next time.

        Raises:
            StoreError: As `ImageStore.get`.
        """
        reading = self._reading.get(sha256)
        if reading is None:
            return self._store.get(sha256)
        try:
            return reading.result().copy()
        except Exception:
            self._reading.pop(sha256, None)
            raise

    def put(self, pixels: NDArray[np.uint8], provenance: Mapping[str, Any]) -> str:
        """Store pixels, as `ImageStore.put`."""
        return self._store.put(pixels, provenance)
