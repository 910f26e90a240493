"""Command line entry point: `factory`, `chatgenimage` and `python -m chatgenimage`."""

import sys

STOPPED_BY_CTRL_C = 130


def main() -> None:
    """Run a command; Ctrl-C is no error, even while the commands are still being imported."""
    try:
        from chatgenimage.factory.cli import app

        app()
    except KeyboardInterrupt:
        sys.exit(STOPPED_BY_CTRL_C)


if __name__ == "__main__":
    main()
