"""Security of the gallery: response headers, signed forms, and checks of the origin."""

import hashlib
import secrets
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from itsdangerous import BadSignature, TimestampSigner
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BODY_BYTES = 8192
MOST_FIELDS = 20
TOO_BIG = "this form is too big; nothing was saved."
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
    """Adds security headers to every response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application and add the headers."""

        async def send_safely(message: Message) -> None:
            """Send a message; the first one of a response gets the headers."""
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("Cache-Control", "no-cache")
            await send(message)

        await self._app(scope, receive, send_safely)


class FormTokens:
    """Forms that only pages of this gallery can send."""

    def __init__(self) -> None:
        self._signer = TimestampSigner(secrets.token_bytes(), digest_method=hashlib.sha256)

    def sign(self) -> str:
        """Return the signed value for a form's hidden field."""
        return self._signer.sign(b"form").decode()

    async def read(self, request: Request) -> dict[str, str]:
        """Return the fields of a form.

        Raises:
            HTTPException: If another site sent it, or it is too old or too big.
        """
        check_origin(request)
        fields = await read_fields(request)
        try:
            self._signer.unsign(fields.get("form", ""), max_age=DAY_S)
        except BadSignature:
            raise HTTPException(403, "this page is too old; reload it and try again.") from None
        return fields


async def read_fields(request: Request) -> dict[str, str]:
    """Return the fields of a form, without checking its sender.

    Raises:
        HTTPException: If it is too big.
    """
    body = await _read_body(request)
    try:
        return dict(parse_qsl(body, max_num_fields=MOST_FIELDS))
    except ValueError:
        raise HTTPException(413, TOO_BIG) from None


def check_origin(request: Request) -> None:
    """Refuse a request from a page of another site.

    Raises:
        HTTPException: If the request's origin is not this host.
    """
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    is_same = urlsplit(origin or "").netloc == request.headers.get("host")
    if (origin is not None and not is_same) or site not in {None, "same-origin", "none"}:
        raise HTTPException(403, "this form was sent by another site; nothing was saved.")


async def _read_body(request: Request) -> str:
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST_BODY_BYTES:
                raise HTTPException(413, TOO_BIG)
    except ClientDisconnect:
        raise HTTPException(400, "this form did not arrive; nothing was saved.") from None
    return body.decode(errors="replace")
