"""Runs in every process that has this folder on its PYTHONPATH, before anything else does."""

from tests.chaos import inside

inside.install()
