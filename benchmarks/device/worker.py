"""Worker process with families that sleep: `factory worker`, with the command's options."""

import sys

from chatgenimage.factory import app
from chatgenimage.factory.cli import app as command_line

app.WORKER_MODULE = "benchmarks.device.hooks"

if __name__ == "__main__":
    command_line(["worker", *sys.argv[1:]])
