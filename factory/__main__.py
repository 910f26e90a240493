"""`python -m factory` is the same as `factory`."""

from factory.cli import app

if __name__ == "__main__":
    app()
