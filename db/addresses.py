"""Addresses in output: one place hides the secrets of every URL that is printed, logged or kept.

Servers take secrets in the user part (`redis://:SECRET@host`) and in the query
(`?password=SECRET`), and people forget to escape a `/` or `#` in a password. So the user part is
all between `://` and the last `@`. Where a URL can be read in two ways, all of it is hidden.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

HIDDEN = "***"
WEB_SCHEMES = frozenset({"http", "https"})
"""A user name in their addresses may itself be a token."""
SHOWN_OPTIONS = frozenset(
    {
        "api-version",
        "application_name",
        "connect_timeout",
        "heartbeat",
        "host",
        "mode",
        "port",
        "ssl_cert_reqs",
        "sslmode",
        "target_session_attrs",
        "timeout",
        "uri",
        "virtual_host",
    }
)
"""Options of a query whose values are printed; any other value may be a secret."""


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of a URL as they are written, nothing unescaped.

    Attributes:
        user: What is before the last `@`, with it; empty if there is none.
        place: Host, port and path.
        options: Names and values of the query, in order.
    """

    scheme: str
    user: str
    place: str
    options: tuple[tuple[str, str], ...]

    @property
    def shown_user(self) -> str:
        """Return the user part without its secret."""
        name, colon, _ = self.user.rstrip("@").partition(":")
        if not self.user:
            return ""
        if "/" in name or "#" in name or self.scheme in WEB_SCHEMES:
            return f"{HIDDEN}@"
        return f"{name}:{HIDDEN}@" if colon else f"{name}@"


def show_address(url: str) -> str:
    """Return a URL fit for output: passwords and the values of unknown options are hidden.

    What is no URL (a path, a name) comes back as it is.
    """
    address = _split(url)
    if address is None:
        return url
    options = (
        f"{name}={value if name in SHOWN_OPTIONS else HIDDEN}" for name, value in address.options
    )
    query = "&".join(options)
    start = f"{address.scheme}://{address.shown_user}{address.place}"
    return f"{start}?{query}" if query else start


def without_secrets(url: str) -> str:
    """Return a URL without user part and query, to be kept; what is no URL comes back as it is."""
    address = _split(url)
    return url if address is None else f"{address.scheme}://{address.place}"


def list_address_secrets(url: str) -> Iterator[str]:
    """Yield each secret of a URL, as it is written and unescaped."""
    address = _split(url)
    if address is None:
        return
    name, colon, password = url.partition("://")[2].rpartition("@")[0].partition(":")
    secrets = [password if colon else name] if address.shown_user.endswith(f"{HIDDEN}@") else []
    query = url.partition("?")[2].partition("#")[0]
    secrets += [value for option, value in _options(query) if option not in SHOWN_OPTIONS]
    for secret in filter(None, secrets):
        yield from {secret, unquote(secret)}


def _split(url: str) -> Address | None:
    scheme, separator, rest = url.partition("://")
    if not separator:
        return None
    is_path = rest.startswith("/")  # sqlite:////folder@name/file
    user, at, behind = ("", "", rest) if is_path else rest.rpartition("@")
    place, _, query = behind.partition("#")[0].partition("?")
    if "?" in user or not _has_port(place):  # a password with a `?`, or an option with an `@`
        return Address(scheme, "", HIDDEN, ())
    return Address(scheme, user + at, place, tuple(_options(query)))


def _has_port(place: str) -> bool:
    """Return False if what is written as the port is none, and so may be part of a password."""
    port = place.partition("/")[0].rpartition("]")[2].partition(":")[2]
    return not port or port.isdecimal()


def _options(query: str) -> Iterator[tuple[str, str]]:
    for option in filter(None, query.split("&")):
        name, _, value = option.partition("=")
        yield name, value
