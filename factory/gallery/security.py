"""Who may ask, from where, and what a browser may do with the answer."""

import hashlib
import secrets
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from itsdangerous import BadSignature, TimestampSigner
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BODY_BYTES = 8192
MOST_FIELDS = 20
TOO_BIG = "this form is too big: nothing was done."
DAY_S = 24 * 3600
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class SafeHeaders:
    """Adds to every answer what it may load and who may show it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with these headers."""

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("Cache-Control", "no-cache")
            await send(message)

        await self._app(scope, receive, send_safely)


class Forms:
    """Forms that only our own pages can send."""

    def __init__(self) -> None:
        self._signer = TimestampSigner(secrets.token_bytes(), digest_method=hashlib.sha256)

    def sign(self) -> str:
        """Return what a form of ours carries."""
        return self._signer.sign(b"form").decode()

    async def read(self, request: Request) -> dict[str, str]:
        """Return the fields of a form.

        Raises:
            HTTPException: If another site sent it, it is too old or too big.
        """
        check_origin(request)
        fields = await read_fields(request)
        try:
            self._signer.unsign(fields.get("form", ""), max_age=DAY_S)
        except BadSignature:
            raise HTTPException(403, "this page is too old: reload it, then try again.") from None
        return fields


async def read_fields(request: Request) -> dict[str, str]:
    """Return the fields of a form, whoever sent it.

    Raises:
        HTTPException: If it is too big.
    """
    body = await _read_body(request)
    try:
        return dict(parse_qsl(body, max_num_fields=MOST_FIELDS))
    except ValueError:
        raise HTTPException(413, TOO_BIG) from None


def check_origin(request: Request) -> None:
    """Refuse what a page of another site sent.

    Raises:
        HTTPException: If the request's origin is not the host that it goes to.
    """
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    is_ours = urlsplit(origin or "").netloc == request.headers.get("host")
    if (origin is not None and not is_ours) or site not in {None, "same-origin", "none"}:
        raise HTTPException(403, "another site sent this form: nothing was done.")


async def _read_body(request: Request) -> str:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BODY_BYTES:
            raise HTTPException(413, TOO_BIG)
    return body.decode(errors="replace")
