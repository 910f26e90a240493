"""A real pseudo-terminal: what a command shows on it, and what a person types."""

import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios


def show_on_terminal(*words, columns=80, lines=30, typed=""):
    """Return exit code and output of a command on a terminal of this size."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    os.write(ours, typed.encode())
    command = [sys.executable, "-m", "chatgenimage", *map(str, words)]
    environment = {"TERM": "xterm", "NO_COLOR": "1", **os.environ}
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        text = b""
        with contextlib.suppress(OSError):  # the terminal is closed
            while part := os.read(ours, 65_536):
                text += part
    os.close(ours)
    return process.returncode, text.decode()
