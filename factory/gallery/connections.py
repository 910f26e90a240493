"""Connections of the gallery: slow or silent clients cannot use them all up."""

import asyncio
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS: Final = 96
"""For one more, the connection that has waited longest for its client is closed.

None is closed that is being answered, nor the new one: its client has just come.
"""
MOST_AT_ONCE: Final = 512
"""Beyond it uvicorn answers 503; closed connections count until their task has ended."""
REQUEST_S = 10.0
"""A client has this long to send a request, with its body."""


class PatientProtocol(H11Protocol):
    """HTTP/1.1 that closes a connection whose request takes too long to arrive.

    uvicorn itself limits only the pause between two requests.

    Args:
        request_s: Longest time in which a request, with its body, must arrive.
        args, options: Those of uvicorn.
    """

    def __init__(
        self,
        *args: Any,  # noqa: ANN401  # uvicorn's
        request_s: float = REQUEST_S,
        **options: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(*args, **options)
        self._request_s = request_s
        self._timer: asyncio.TimerHandle | None = None
        self.since = 0.0
        """When the client last sent something, by the clock of the event loop."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Wait for a request; if there is hardly any room left, close who waits longest."""
        super().connection_made(transport)
        self.since = self.loop.time()
        self._limit()
        open_ones = [one for one in self.connections if not one.transport.is_closing()]
        others = [one for one in open_ones if isinstance(one, PatientProtocol) and one is not self]
        waiting = [one for one in others if one.waits]
        if len(open_ones) > MOST_CONNECTIONS and waiting:
            longest = min(waiting, key=lambda one: one.since)
            longest.transport.abort()
            self.connections.discard(longest)  # at once: uvicorn refuses requests by their number

    def data_received(self, data: bytes) -> None:
        """Read a part of a request."""
        super().data_received(data)
        self.since = self.loop.time()
        self._limit()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the limit."""
        self._stop()
        super().connection_lost(exc)

    @property
    def waits(self) -> bool:
        """Return whether a request, or the rest of one, is still to come."""
        return self.conn.their_state in {h11.IDLE, h11.SEND_BODY}

    def _limit(self) -> None:
        """Begin to measure the time of a request, or end it when the request is complete."""
        if not self.waits:
            self._stop()
        elif self._timer is None:
            self._timer = self.loop.call_later(self._request_s, self.transport.abort)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
