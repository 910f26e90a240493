"""ASGI application of the gallery: routes, middleware and error pages."""

from collections.abc import Callable
from typing import Final

from sqlalchemy.exc import DBAPIError, TimeoutError  # noqa: A004  # no free connection
from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from chatgenimage.db.error_messages import describe_error
from chatgenimage.db.errors import DatabaseUnavailable, RefusedChange, RowNotFound
from chatgenimage.factory.errors import UnknownName
from chatgenimage.factory.gallery.corrections import CorrectionRoutes
from chatgenimage.factory.gallery.pages import Pages
from chatgenimage.factory.gallery.pictures import ImageRoutes
from chatgenimage.factory.gallery.rendering import FOLDER, Renderer
from chatgenimage.factory.gallery.reviews import ReviewRoutes
from chatgenimage.factory.gallery.security import FormTokens, SafeHeaders
from chatgenimage.factory.gallery.token_gate import TokenGate
from chatgenimage.factory.gallery.write_queue import PATIENCE_S, WriteQueue
from chatgenimage.factory.query.store import Store
from chatgenimage.factory.settings.arguments import MAX_ID

Answer = Callable[[Request, Exception], Response]
LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
TITLES = {
    400: "Invalid request",
    401: "Token required",
    403: "Refused",
    404: "Not found",
    405: "Not allowed",
    413: "Too large",
    500: "Internal error",
    503: "Not available",
}


class _Sha256(Convertor[str]):
    regex = "[0-9a-f]{64}"

    def convert(self, value: str) -> str:
        """Return the hash as it is written."""
        return value

    def to_string(self, value: str) -> str:
        """Return the hash as it is written."""
        return value


class _RowId(Convertor[int]):
    regex = "[1-9][0-9]{0,9}"

    def convert(self, value: str) -> int:
        """Return the number; one that is too large for a database is the largest."""
        return min(int(value), MAX_ID)

    def to_string(self, value: int) -> str:
        """Return the number in digits."""
        return str(value)


register_url_convertor("sha256", _Sha256())
register_url_convertor("row", _RowId())


def build_gallery(
    store: Store, *, token: str | None = None, patience_s: float = PATIENCE_S
) -> Starlette:
    """Return the gallery of a store.

    Args:
        store: The store to show; reviews are written to it.
        token: Required for all pages, with any host name in the URL; None: no token, but only
            loopback host names are accepted.
        patience_s: Longest wait of a review for the lock of another process.
    """
    renderer, forms = Renderer(), FormTokens()
    pages, pictures, writes = (
        Pages(store, renderer, forms),
        ImageRoutes(store),
        WriteQueue(store.sessions, patience_s),
    )
    marking, correcting = (
        ReviewRoutes(store, forms, writes),
        CorrectionRoutes(store, forms, writes),
    )
    gate = [Middleware(TokenGate, token=token, renderer=renderer)] if token else []
    hosts = ["*"] if token else list(LOOPBACK)
    return Starlette(
        routes=[
            Route("/", _to_runs),
            Route("/runs", pages.runs),
            Route("/runs/{run_id:row}", pages.run),
            Route("/candidates", pages.candidates),
            Route("/candidates/{candidate_id:row}", pages.candidate),
            Route("/candidates/reviews", marking.mark_many, methods=["POST"]),
            Route("/candidates/{candidate_id:row}/mark", marking.mark, methods=["POST"]),
            Route("/candidates/{candidate_id:row}/objects", correcting.correct, methods=["POST"]),
            Route("/images/{sha256:sha256}.png", pictures.original),
            Route("/thumbnails/{sha256:sha256}.webp", pictures.thumbnail),
            Mount("/static", StaticFiles(directory=FOLDER / "static"), name="static"),
        ],
        middleware=[
            Middleware(SafeHeaders),
            Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False),
            *gate,
        ],
        exception_handlers=_error_pages(renderer),
    )


def _to_runs(_: Request) -> RedirectResponse:
    return RedirectResponse("/runs")


def _error_pages(renderer: Renderer) -> dict[type[Exception], Answer]:
    """Return handlers by kind of error; each returns a page that says what to do next."""

    def page(status: int, message: str) -> Response:
        """Return the error page with a status and a message."""
        title = TITLES.get(status, "Error")
        return renderer.page("error.html", status, title=title, message=message)

    def not_found(_: Request, error: Exception) -> Response:
        """Return a page with status 404."""
        return page(404, str(error))

    def bad_filter(_: Request, error: Exception) -> Response:
        """Return a page with status 400: the request asks for what is not possible."""
        return page(400, str(error))

    def database_away(_: Request, error: Exception) -> Response:
        """Return a page with status 503."""
        if isinstance(error, DBAPIError):
            return page(503, describe_error(error))
        return page(503, str(error))

    def refused(_: Request, error: Exception) -> Response:
        """Return a page with the status of the error."""
        assert isinstance(error, HTTPException)  # noqa: S101  # registered only for HTTPException
        return page(error.status_code, error.detail)

    def broken(_: Request, error: Exception) -> Response:
        """Return a page with status 500 that shows the kind of error and none of its text."""
        kind = type(error).__name__
        return page(500, f"an error in the gallery ({kind}); see its output in the terminal.")

    return {
        RowNotFound: not_found,
        UnknownName: bad_filter,
        RefusedChange: bad_filter,
        DatabaseUnavailable: database_away,
        DBAPIError: database_away,
        TimeoutError: database_away,
        HTTPException: refused,
        Exception: broken,
    }
