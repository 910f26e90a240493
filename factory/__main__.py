"""`python -m factory` is the same as `factory`: the command line, and a quiet end on Ctrl-C."""

import sys

STOPPED_BY_CTRL_C = 130


def main() -> None:
    """Run a command; Ctrl-C is no error, even while the commands are still being imported."""
    try:
        from factory.cli import app

        app()
    except KeyboardInterrupt:
        sys.exit(STOPPED_BY_CTRL_C)


if __name__ == "__main__":
    main()
