"""Wall clocks that are wrong, for single processes; needs Linux and a C compiler."""

import shutil
import struct
import subprocess
from pathlib import Path

COMPILER = shutil.which("cc")
SOURCE = Path(__file__).with_suffix(".c")
FORMAT = "d"


class WallClock:
    """The wall clock of the processes that are started with its `environment`.

    Args:
        folder: For its two files.
        ahead_s: Seconds by which it is ahead of the true time, or behind if negative.
    """

    def __init__(self, folder, ahead_s=0.0):
        library = folder / "wall_clock.so"
        self._file = folder / "ahead_s"
        self._file.write_bytes(struct.pack(FORMAT, ahead_s))
        subprocess.run([COMPILER, "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"], check=True)
        self.environment = {"LD_PRELOAD": str(library), "WALL_CLOCK_FILE": str(self._file)}

    def set(self, ahead_s):
        """Set the clock of processes that may be running."""
        with self._file.open("r+b") as file:
            file.write(struct.pack(FORMAT, ahead_s))
