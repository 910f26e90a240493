"""Command line entry point: `factory`, `chatgenimage` and `python -m chatgenimage`."""

import atexit
import gc
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import typer

STOPPED_BY_CTRL_C = 130


def main() -> None:
    """Run a command; Ctrl-C is no error, even while the commands are still being imported."""
    try:
        _import_commands()()
    except KeyboardInterrupt:
        sys.stderr.write("Stopped before the command began; nothing was changed.\n")
        sys.exit(STOPPED_BY_CTRL_C)


def _import_commands() -> "typer.Typer":
    """Return the command line, and keep the garbage collector from what it finds nothing in.

    A quarter of a short command's time would be the collector's: imports make many objects and no
    garbage, and at its end Python collects several times what the process's end frees anyway.
    """
    gc.disable()
    atexit.register(gc.freeze)  # registered first, so called last
    from chatgenimage.factory.cli import app

    gc.freeze()
    gc.enable()
    return app


if __name__ == "__main__":
    main()
