"""Run `factory worker all` with steps that only sleep; takes the command's options."""

import sys

from chatgenimage.factory import app
from chatgenimage.factory.cli import app as command_line
from chatgenimage.factory.processes import consumption

app.TASK_MODULES = ("tests.factory.sleeping_steps",)
app.WORKER_MODULE = "tests.factory.sleeping_steps"
consumption.MISSING_S = 6.0

if __name__ == "__main__":
    command_line(["worker", "all", *sys.argv[1:]])
