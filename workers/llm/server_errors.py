"""Errors that a language model's server reports: in an HTTP status, or in the body of a 200."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openai import APIError

SPENT_STATUS = 402
SPENT = re.compile(
    r"insufficient[_ ](?:quota|balance|credits?|funds)|credit balance is too low"
    r"|billing_hard_limit|billing_not_active|out of credits|used all available credits"
    r"|credit limit|spending limit",
    re.IGNORECASE,
)
FILTERED = re.compile(
    r"content_filter|ContentPolicyViolation|content_policy_violation|moderation_blocked"
    r"|rejected .{0,20}safety system"
)
TRANSIENT_STATUSES = frozenset({408, 409, 425, 429})
BAD_REQUESTS = frozenset({400, 422})
SERVER_FAULT = 500
REDIRECTS = range(300, 400)
TOO_LARGE = "answer_too_large"
"""Code of an answer that was not read to its end; the server sent no error."""
STATUS_CODES = frozenset(str(code) for code in range(400, 600))
STATUS_BY_WORD = {
    "rate_limit": 429,
    "ratelimit": 429,
    "resource_exhausted": 429,
    "too_many": 429,
    "overloaded": 503,
    "unavailable": 503,
    "timeout": 503,
    "server_error": 503,
    "internal": 503,
}
"""HTTP status by a part of a code in words."""

REMEDIES = {
    401: "Check OPENAI_API_KEY, or api_key in the profile.",
    403: "Check OPENAI_API_KEY, or api_key in the profile.",
    404: "Check OPENAI_BASE_URL, and the model's name in the profile.",
    429: "Wait, or raise the account's limits.",
    None: "Check that the server of OPENAI_BASE_URL runs.",
}


@dataclass(frozen=True, slots=True)
class ServerError:
    """A failed request in the server's own words.

    Attributes:
        text: The server's message, in one line.
        status: HTTP status, or the one that the body names; None if the server was not reached.
        code: The server's code in words, "" if it has none.
        body: The whole error as JSON: it may name a parameter that the message does not.
    """

    text: str
    status: int | None
    code: str = ""
    body: str = ""

    @classmethod
    def of(cls, error: "APIError") -> "ServerError":
        """Return what an exception of the package `openai` reports."""
        status = getattr(error, "status_code", None)
        code = getattr(error, "code", None) or getattr(error, "type", None) or ""
        text = str(error)
        if " - " not in text and error.body:  # the package found no message in the body
            text = f"{text} - {_dump(error.body)}"
        text += _upstream(error.body)
        return cls(" ".join(text.split()), status, str(code), _dump(error.body))

    @property
    def said(self) -> str:
        """Return all that may name what was refused."""
        return f"{self.text} {self.body}"

    @property
    def is_spent(self) -> bool:
        """Return whether the account has no credit left."""
        said = f"{self.code} {self.text}"
        return self.status == SPENT_STATUS or SPENT.search(said) is not None

    @property
    def is_filtered(self) -> bool:
        """Return whether the server's content filter refused the question."""
        return FILTERED.search(f"{self.code} {self.text}") is not None

    @property
    def is_transient(self) -> bool:
        """Return whether the same request may succeed later."""
        if self.status is None:
            return True
        return self.status in TRANSIENT_STATUSES or self.status >= SERVER_FAULT

    @property
    def is_bad_request(self) -> bool:
        """Return whether the server did not understand the request."""
        is_refusal = self.status in BAD_REQUESTS
        return is_refusal and not self.is_filtered and not self.is_spent

    @property
    def remedy(self) -> str:
        """Return what a person can do."""
        if self.is_filtered:
            return "The server's content filter refused this request; choose another label."
        if self.is_spent:
            return "Top up the account at the server, then continue the run."
        if self.status in REDIRECTS:
            return "Set OPENAI_BASE_URL to the address at which the server answers itself."
        return REMEDIES.get(self.status, "The server's log may say more.")


class ServerRefused(Exception):
    """The server did not answer the request; `error` says why."""

    def __init__(self, error: ServerError) -> None:
        super().__init__(error.text)
        self.error = error


def find_error(body: Mapping[str, object]) -> ServerError | None:
    """Return the error in the body of a response with HTTP status 200, if there is one.

    OpenRouter puts it into `error` or into the first choice, vLLM into the body itself.
    """
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    places = [body.get("error"), first.get("error") if isinstance(first, Mapping) else None]
    if body.get("object") == "error":
        places.append(body)
    found = next((place for place in places if place), None)
    if found is None:
        return None
    if not isinstance(found, Mapping):
        return ServerError(" ".join(str(found).split()), _status(None), "")
    code = found.get("code") or found.get("status") or found.get("type")
    text = " ".join(f"{found.get('message') or _dump(found)}{_upstream(found)}".split())
    return ServerError(text, _status(code), "" if code is None else str(code), _dump(found))


def _dump(body: object) -> str:
    return body if isinstance(body, str) else json.dumps(body, ensure_ascii=False, default=str)


def _upstream(body: object) -> str:
    """Return the words of the server behind OpenRouter, whose own message has none."""
    metadata = body.get("metadata") if isinstance(body, Mapping) else None
    raw = metadata.get("raw") if isinstance(metadata, Mapping) else None
    return f": {raw}" if raw else ""


def _status(code: object) -> int:
    """Return the HTTP status that a code in a body means; 200 if it means none."""
    if str(code).isdecimal():
        return int(str(code)) if str(code) in STATUS_CODES else 200
    said = str(code).lower().replace(" ", "_")
    return next((status for word, status in STATUS_BY_WORD.items() if word in said), 200)
