import os
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
        assert worker.wait(timeout=300) == -9
        assert worker.stdout.read() == b""  # its child had the pipe open and has ended too


SERVE = """
import os, signal, sys
from celery.signals import worker_ready
from chatgenimage.factory.processes.worker import run_worker
from chatgenimage.factory.settings.model import load_settings

@worker_ready.connect(weak=False)
def stop(**_):
    os.kill(os.getpid(), signal.SIGTERM)

run_worker(load_settings("micro"), "language")
print(*{"celery.bin.celery", "torch"} & set(sys.modules))
"""


def test_a_worker_does_not_import_celery_s_command_line_or_models_that_it_lacks(tmp_path):
    environment = os.environ | {"FACTORY_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-c", SERVE]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True, timeout=300
    )
    assert done.stdout.splitlines()[-1] == ""
