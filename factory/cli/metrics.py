"""`factory metrics`: serve metrics for Prometheus."""

from functools import partial
from typing import Annotated

import typer

from chatgenimage.factory.cli.common import Port, expected_errors, open_chosen_store, stderr, takes
from chatgenimage.factory.query.store import Store


@expected_errors()
@takes(store=open_chosen_store)
def metrics(
    *,
    host: Annotated[
        str,
        typer.Option(help="Address to listen on; any but loopback needs FACTORY_METRICS_TOKEN."),
    ] = "127.0.0.1",
    port: Port = 9478,
    store: Store,
) -> None:
    """Serve metrics for Prometheus at /metrics, until Ctrl-C.

    They are computed from the database, so one process covers all workers.

    Example: factory metrics --port 9478
    """
    from chatgenimage.factory.monitoring.metrics_server import serve_metrics

    with store:
        token = store.settings.metrics_token
        serve_metrics(store.sessions, host, port, token, partial(stderr.print, soft_wrap=True))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(metrics)
