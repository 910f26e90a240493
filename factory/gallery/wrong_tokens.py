"""Limit of wrong tokens per client, so that a token cannot be found by trying."""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

MOST_WRONG = 10
WINDOW_S = 60.0
MOST_CLIENTS = 10_000
"""Clients that are remembered; beyond it the one that guessed longest ago is forgotten."""
IPV6_BITS = 64
"""One machine usually has all IPv6 addresses with the same first bits."""


@dataclass(slots=True)
class _Wrong:
    since: float
    count: int = 0


class WrongTokens:
    """Counts wrong tokens; after `MOST_WRONG` a client waits until its window ends."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._clients: OrderedDict[str, _Wrong] = OrderedDict()

    def wait_s(self, client: str) -> float:
        """Return for how many seconds no token of a client is looked at; 0.0: it may try."""
        wrong = self._clients.get(_name(client))
        if wrong is None or wrong.count < MOST_WRONG:
            return 0.0
        return max(wrong.since + WINDOW_S - self._clock(), 0.0)

    def add(self, client: str) -> None:
        """Count a wrong token."""
        name, now = _name(client), self._clock()
        wrong = self._clients.get(name)
        if wrong is None or now > wrong.since + WINDOW_S:
            wrong = self._clients[name] = _Wrong(now)
        wrong.count += 1
        self._clients.move_to_end(name)
        if len(self._clients) > MOST_CLIENTS:
            self._clients.popitem(last=False)


def _name(client: str) -> str:
    """Return an address, of IPv6 the part that one machine has for itself."""
    try:
        address = ipaddress.ip_address(client.partition("%")[0])
    except ValueError:
        return client
    if address.version == 4:  # noqa: PLR2004  # the protocol
        return client
    return str(ipaddress.ip_network((address, IPV6_BITS), strict=False))
