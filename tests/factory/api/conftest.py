"""Fixtures of the tests of the Python API."""

from tests.factory.cli.conftest import factory

__all__ = ["factory"]
