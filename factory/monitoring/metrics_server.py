"""Metrics server: HTTP on loopback, or on other addresses with a token."""

import hmac
from collections.abc import Callable

import uvicorn
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from chatgenimage.db.session import Sessions
from chatgenimage.factory.errors import SettingsError
from chatgenimage.factory.monitoring.metrics import FactoryCollector
from chatgenimage.factory.sockets import is_loopback, listen, url_of

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def serve_metrics(
    sessions: Sessions, host: str, port: int, token: SecretStr | None, tell: Callable[[str], None]
) -> None:
    """Serve the metrics until Ctrl-C or SIGTERM.

    Args:
        sessions: Sessions of the database.
        host: Address to listen on; other than loopback only with a token.
        port: TCP port; 0: any free port.
        token: Value that a scraper must send as `Authorization: Bearer`; None: no check.
        tell: Prints the address.

    Raises:
        SettingsError: If others could reach it without a token.
        CannotListen: If the port is in use.
    """
    if token is None and not is_loopback(host):
        raise SettingsError(
            f"other machines can reach {host}, so a token is required: set FACTORY_METRICS_TOKEN, "
            "or listen on 127.0.0.1."
        )
    with listen(host, port) as bound:
        tell(f"Metrics: {url_of(host, bound)}/metrics  (stop it with Ctrl-C)")
        config = uvicorn.Config(
            build_metrics_app(sessions, token),
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
        )
        try:
            uvicorn.Server(config).run(sockets=[bound])
        except KeyboardInterrupt:
            return


def build_metrics_app(sessions: Sessions, token: SecretStr | None) -> Starlette:
    """Return the application that serves `/metrics`, and `/healthy` for health checks."""
    registry = CollectorRegistry()
    registry.register(FactoryCollector(sessions))
    expected = None if token is None else f"Bearer {token.get_secret_value()}".encode()

    def metrics(request: Request) -> Response:  # not async, so that it runs in a thread
        """Answer with the metrics, or with 401 without the token."""
        brought = request.headers.get("authorization", "").encode()
        if expected is not None and not hmac.compare_digest(brought, expected):
            return PlainTextResponse(
                "send the header `Authorization: Bearer TOKEN`.\n",
                401,
                {"WWW-Authenticate": "Bearer"},
            )
        encode, kind = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"Content-Type": kind})

    def healthy(_: Request) -> Response:
        """Answer that the server is running; the database is not asked."""
        return PlainTextResponse("healthy\n")

    hosts = list(LOOPBACK) if token is None else ["*"]
    guard = Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)
    routes = [Route("/metrics", metrics), Route("/healthy", healthy)]
    return Starlette(routes=routes, middleware=[guard])
