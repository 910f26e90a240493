"""Address of a language server: each request gets its query; no message has its secrets."""

import os
import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit, urlunsplit

HIDDEN = "***"
USUAL_PORTS = {"http": 80, "https": 443}
SHOWN_OPTION = "api-version"
"""Option of Azure's query that is not a secret, and that its errors are about."""


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """A base URL, taken apart.

    Attributes:
        base_url: Without query and fragment, with user and password; None is the public server.
        query: Values by name, sent with every request; of a repeated name the last one.
        secrets: User, password and values of the query, in every spelling.
    """

    base_url: str | None
    query: dict[str, str]
    secrets: frozenset[str]

    @classmethod
    def of(cls, base_url: str | None) -> Self:
        """Return the address of a profile, or of OPENAI_BASE_URL if the profile has none."""
        url = base_url or os.environ.get("OPENAI_BASE_URL")
        if not url:
            return cls(None, {}, frozenset())
        parts = urlsplit(url)
        query = parse_qsl(parts.query, keep_blank_values=True)
        user, _, password = parts.netloc.rpartition("@")[0].partition(":")
        written = [user, password, *(value for name, value in query if name != SHOWN_OPTION)]
        plain = {unquote(value) for value in written if value}
        base = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
        escaped = {quote(value, safe="") for value in plain}
        return cls(base, dict(query), frozenset({*filter(None, written), *plain, *escaped}))

    def hide(self, text: str) -> str:
        """Return a server's text without the secrets of the address, which it may repeat."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", HIDDEN, text)
        return text


def origin_of(address: SplitResult) -> tuple[str, str | None, int | None]:
    """Return scheme, host and port, also where the port is that of the scheme.

    Raises:
        ValueError: If the port is none.
    """
    port = USUAL_PORTS.get(address.scheme) if address.port is None else address.port
    return address.scheme, address.hostname, port
