import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE_S = 300
STOP_S = 120
OURS = ("FACTORY_", "REDIS_URL", "OPENAI_", "AWS_")


@dataclass
class Slim:
    """The command line as in an image without the gpu extra, with its own data folder."""

    data_dir: Path
    started: list = field(default_factory=list)

    def call(self, *words):
        """Run a command to its end and return it."""
        return subprocess.run(
            self.command(*words), env=self.environment, capture_output=True, text=True, check=False
        )

    def start(self, *words):
        """Start a command in the background; it is stopped after the test."""
        with (self.data_dir.parent / "log").open("ab") as log:
            process = subprocess.Popen(
                self.command(*words), env=self.environment, stdout=log, stderr=log
            )
        self.started.append(process)
        return process

    @staticmethod
    def command(*words):
        return [sys.executable, "-m", "tests.deploy.slim", *words]

    @property
    def environment(self):
        quiet = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
        return quiet | {"FACTORY_DATA_DIR": str(self.data_dir), "PYTHONPATH": str(ROOT)}


@pytest.fixture
def slim(tmp_path):
    slim = Slim(tmp_path / "data")
    slim.data_dir.mkdir()
    yield slim
    for process in slim.started:
        process.kill()
        process.wait()


def wait_for(condition, patience_s=PATIENCE_S):
    """Wait until the condition is true."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.1)
