"""Limit of the time that a whole answer may take."""

import time
from collections.abc import Iterator

from httpx2 import ReadTimeout, Response


def iter_until(response: Response, ends_at: float) -> Iterator[bytes]:
    """Yield the parts of a decoded body as they come, until a time of `time.monotonic`.

    A client's own time-out limits one wait for bytes, and starts again with each blank that a
    server sends while it computes.

    Raises:
        ReadTimeout: If a part comes later.
    """
    for part in response.iter_bytes():
        if time.monotonic() > ends_at:
            raise ReadTimeout("the answer is not complete in time", request=response.request)
        yield part
