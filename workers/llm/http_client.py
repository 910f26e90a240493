"""HTTP client of the package `openai`: asks one server alone, a limited number of times at once."""

import math
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from openai import APIStatusError, DefaultHttpxClient, OpenAIError

from chatgenimage.workers.llm.address import origin_of
from chatgenimage.workers.llm.answer_time import iter_until
from chatgenimage.workers.llm.request_slots import OVERLOADED, RequestSlots
from chatgenimage.workers.llm.server_errors import TOO_LARGE

if TYPE_CHECKING:
    from httpx2 import Request, Response

MOST_REDIRECTS = 5
MEBIBYTE = 2**20
DECODED = ("content-encoding", "content-length", "transfer-encoding")
"""Headers of a body as it was sent, which is decoded here."""


class CarefulClient(DefaultHttpxClient):
    """Client whose requests take a slot, stay on their server, and get limited answers.

    A request's time-out also limits the whole answer. A request that the package repeats gives
    its slot back while it waits.
    """

    def __init__(self, slots: RequestSlots, most_bytes: int) -> None:
        """Prepare the client; nothing is asked yet.

        Args:
            slots: Limit of requests at the same time.
            most_bytes: Largest answer, decoded; a larger one is not read to its end.
        """
        super().__init__(follow_redirects=False)
        self._slots = slots
        self._most_bytes = most_bytes

    def send(self, request: Any, **options: Any) -> Any:  # noqa: ANN401  # as its base class
        """Return the answer, whole.

        Raises:
            APIStatusError: If it is too large, or sends the request to another server.
            ReadTimeout: If it is not complete in time.
        """
        options |= {"stream": True, "follow_redirects": False}
        with self._slots.take():
            asked_at = time.monotonic()
            try:
                response = self._stay(super().send(request, **options), options)
                ends_at = asked_at + _limit_s_of(request)
                response = _read(response, self._most_bytes, ends_at)
            except OpenAIError:
                raise
            except Exception:
                self._slots.lower_limit(asked_at)
                raise
        if response.status_code in OVERLOADED:
            self._slots.lower_limit(asked_at)
        elif response.is_success:
            self._slots.raise_limit()
        return response

    def _stay(self, response: "Response", options: dict[str, Any]) -> "Response":
        """Follow redirects to the same server, that ask the same; refuse others."""
        for _ in range(MOST_REDIRECTS):
            following, asked = response.next_request, response.request
            if following is None:
                return response
            response.close()
            is_same = following.method == asked.method and _is_same_origin(following, asked)
            if not is_same:
                raise _refusal(response, _describe(following))
            response = super().send(following, **options)
        response.close()
        raise _refusal(response, f"redirects more than {MOST_REDIRECTS} times")


def _is_same_origin(one: "Request", other: "Request") -> bool:
    return origin_of(urlsplit(str(one.url))) == origin_of(urlsplit(str(other.url)))


def _describe(following: "Request") -> str:
    """Return where a redirect leads, without user, password and query, which may hold secrets."""
    url = following.url
    netloc = f"[{url.host}]" if ":" in url.host else url.host
    netloc += f":{url.port}" if url.port else ""
    return f"redirects to {url.scheme}://{netloc}{url.path}, which is not asked"


def _limit_s_of(request: "Request") -> float:
    """Return the time-out of a request in seconds."""
    limits: dict[str, float | None] = request.extensions.get("timeout", {})
    limit = limits.get("read")
    return math.inf if limit is None else limit


def _read(response: "Response", most_bytes: int, ends_at: float) -> "Response":
    """Return the response with its whole, decoded body."""
    content = bytearray()
    try:
        for chunk in iter_until(response, ends_at):
            content += chunk
            if len(content) > most_bytes:
                limit = f"{most_bytes // MEBIBYTE} MiB" if most_bytes >= MEBIBYTE else most_bytes
                raise _refusal(response, f"sends an answer of more than {limit}", TOO_LARGE)
    finally:
        response.close()
    return type(response)(
        response.status_code,
        headers=[pair for pair in response.headers.multi_items() if pair[0] not in DECODED],
        content=bytes(content),
        request=response.request,
        extensions=response.extensions,
    )


def _refusal(response: "Response", said: str, code: str | None = None) -> APIStatusError:
    body = {"code": code} if code else None
    return APIStatusError(f"the server {said}", response=response, body=body)
