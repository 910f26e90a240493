"""Python runs this module first in every process that has this folder on its PYTHONPATH."""

from tests.chaos import inside

inside.install()
