"""Token gate: protects a gallery that other machines can reach."""

import hashlib
import hmac
import math
from urllib.parse import parse_qsl, urlencode

from itsdangerous import BadSignature, TimestampSigner
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from chatgenimage.factory.gallery.rendering import Renderer
from chatgenimage.factory.gallery.security import read_fields
from chatgenimage.factory.gallery.wrong_tokens import WrongTokens

COOKIE = "gallery"
COOKIE_AGE_S = 30 * 24 * 3600
HOME = "/runs"
OPEN_TO_ALL = "/static/"


class TokenGate:
    """Requires the token: first in the form or the URL, then a signed cookie."""

    def __init__(self, app: ASGIApp, token: str, renderer: Renderer) -> None:
        self._app = app
        self._digest = _digest(token)
        self._wrong_tokens = WrongTokens()
        self._render = renderer.page
        self._signer = TimestampSigner(token, salt="gallery", digest_method=hashlib.sha256)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, set the cookie, or show the token form."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        if self._is_known(request) or request.url.path.startswith(OPEN_TO_ALL):
            await self._app(scope, receive, send)
        else:
            await (await self._answer(request))(scope, receive, send)

    def _is_known(self, request: Request) -> bool:
        try:
            self._signer.unsign(request.cookies.get(COOKIE, ""), max_age=COOKIE_AGE_S)
        except BadSignature:
            return False
        return True

    async def _answer(self, request: Request) -> Response:
        asked = dict(parse_qsl(request.url.query))
        token = asked.pop("token", None)
        # The path of `//elsewhere` would be read as another host.
        path = f"/{request.url.path.lstrip('/')}"
        address = f"{path}?{urlencode(asked)}" if asked else path
        if request.method == "POST":
            token = await _read_token(request)
            address = HOME if token is None else address  # another form cannot be sent again
        if token is None:
            return self._render("token.html", 401, is_wrong=False, address=address)
        client = request.client.host if request.client else ""
        if wait_s := self._wrong_tokens.wait_s(client):
            return self._too_many(wait_s)
        if not hmac.compare_digest(_digest(token), self._digest):
            self._wrong_tokens.add(client)
            return self._render("token.html", 401, is_wrong=True, address=address)
        response = RedirectResponse(address, status_code=303)
        cookie = self._signer.sign(b"known").decode()
        response.set_cookie(COOKIE, cookie, COOKIE_AGE_S, httponly=True, samesite="lax")
        return response

    def _too_many(self, wait_s: float) -> Response:
        message = f"too many wrong tokens from this address; try again in {wait_s:.0f} seconds."
        page = self._render("error.html", 429, title="Too many attempts", message=message)
        page.headers["Retry-After"] = str(math.ceil(wait_s))
        return page


def _digest(token: str) -> bytes:
    """Return a hash of equal length for all tokens: comparing it reveals nothing of the token."""
    return hashlib.sha256(token.encode()).digest()


async def _read_token(request: Request) -> str | None:
    """Return the token from the form; None if the body is not this form."""
    try:
        return (await read_fields(request)).get("token")
    except HTTPException:
        return None
