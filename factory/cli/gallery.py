"""`factory gallery`: web pages to browse and review candidates."""

from typing import Annotated

import typer
from pydantic import SecretStr

from chatgenimage.factory.cli.common import (
    CONTINUES,
    AsJson,
    Port,
    expected_errors,
    open_chosen_store,
    print_json,
    stdout,
    takes,
)
from chatgenimage.factory.query.store import Store


@expected_errors(CONTINUES)
@takes(store=open_chosen_store)
def gallery(
    *,
    port: Port = 8484,
    host: Annotated[
        str, typer.Option(help="Address to listen on; any but loopback needs a token.")
    ] = "127.0.0.1",
    token: Annotated[
        str | None,
        typer.Option(
            help="Token for access; FACTORY_GALLERY_TOKEN is safer, as `ps` does not show it.",
            show_default="none on loopback, else a new one",
        ),
    ] = None,
    opens_browser: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in a browser.")
    ] = False,
    as_json: AsJson = False,
    store: Store,
) -> None:
    """Serve web pages to browse runs and to review candidates, until Ctrl-C.

    Example: factory gallery --open
    """
    from chatgenimage.factory.gallery.serving import bind, serve

    with store:
        asked = store.settings.gallery_token if token is None else SecretStr(token)
        address = bind(host, port, asked)
        if as_json:
            print_json({"url": address.url})
        else:
            shown = (
                address.url if asked is None else f"{address.page}?token=..."
            )  # the user knows it
            stdout.print(f"Gallery  {shown}\nStop it with Ctrl-C.", soft_wrap=True)
        serve(store, address, opens_browser=opens_browser)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(gallery)
