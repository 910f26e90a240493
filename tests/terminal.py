"""A real pseudo-terminal: what a command shows on it, and what a person types."""

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading

PARTS = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|([^\x1b]+)")
"""Control sequences, with their numbers and letter, and the text between them."""


def show_on_terminal(*words, columns=80, lines=30, typed="", each=lambda _: None):
    """Return exit code and output of a command on a terminal of this size.

    `each` gets the whole output, as a terminal would.
    """
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
    each(text.decode())
    return process.returncode, text.decode()


CTRL_C = b"\x03"
PATIENCE_S = 120
ON_A_TERMINAL = """
import os, signal, sys
os.open(os.ttyname(0), os.O_RDWR)  # the first terminal that a session opens sends it Ctrl-C
signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's `&` ignores it
os.execv(sys.executable, [sys.executable, "-m", "chatgenimage", *sys.argv[1:]])
"""


def interrupt_question(question, *words):
    """Return exit code and output of a command that gets Ctrl-C when it has shown a text."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", ON_A_TERMINAL, *map(str, words)]
    environment = {**os.environ, "TERM": "xterm", "NO_COLOR": "1"}
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
    ) as process:
        os.close(theirs)
        patience = threading.Timer(PATIENCE_S, process.kill)
        patience.start()
        text, is_asked = b"", False
        with contextlib.suppress(OSError):  # the terminal is closed
            while part := os.read(ours, 65_536):
                text += part
                if not is_asked and question.encode() in text:
                    is_asked = True
                    os.write(ours, CTRL_C)
        process.wait()
        patience.cancel()
    os.close(ours)
    return process.returncode, text.decode()


class Screen:
    """Lines that a terminal shows, of programs that only write lines and go up to rewrite them.

    Attributes:
        frames: What was shown each time before lines were erased, and at the end.
    """

    def __init__(self):
        self.frames = []
        self._lines = [""]
        self._row = 0

    def write(self, text):
        """Show more output."""
        for control, letter, plain in PARTS.findall(text):
            if letter == "A":
                self._row = max(self._row - int(control or 1), 0)
            elif letter == "K":
                self.frames.append([line for line in self._lines if line.strip()])
                self._lines[self._row] = ""
            for part in re.findall(r"\r|\n|[^\r\n]+", plain):
                self._put(part)

    def _put(self, part):
        if part == "\n":
            self._row += 1
            self._lines += [""] * (self._row + 1 - len(self._lines))
        elif part != "\r":
            self._lines[self._row] += part
