import subprocess
import sys

import pytest

pytestmark = pytest.mark.processes

STUBBORN = """
import signal, subprocess, sys
from chatgenimage.factory.processes.worker import end_with_stdin
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("ready", flush=True)
end_with_stdin(grace_s=0.2)
"""


def test_a_worker_whose_owner_died_ends_with_its_children_even_if_a_pass_hangs():
    with subprocess.Popen(
        [sys.executable, "-c", STUBBORN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as worker:
        assert worker.stdout.readline() == b"ready\n"
        worker.stdin.close()
        assert worker.wait(timeout=120) == -9
        assert worker.stdout.read() == b""  # its child had the pipe open and has ended too
