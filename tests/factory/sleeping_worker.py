"""`factory worker all` with steps that only sleep: its arguments are a profile and a folder."""

import sys
from pathlib import Path

from factory import app
from factory.settings import load_settings
from factory.worker import run_worker

app.TASK_MODULES = ("tests.factory.sleeping_steps",)
app.WORKER_MODULE = "tests.factory.sleeping_steps"

if __name__ == "__main__":
    run_worker(load_settings(sys.argv[1], data_dir=Path(sys.argv[2])), "all")
