"""Start and end of a command: the garbage collector costs no time where it finds nothing."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.processes

SCRIPT = """
import atexit, gc, sys
from chatgenimage.__main__ import main
atexit.register(lambda: print("at the end", len(gc.get_objects())))  # after those of main()
sys.argv[1:] = ["--version"]
try:
    main()
finally:
    print("in the command", gc.isenabled(), gc.get_freeze_count(), len(gc.get_objects()))
"""
FEW = 20_000
"""Importing the command line makes ten times as many objects."""


def test_the_garbage_collector_leaves_out_what_was_imported_and_what_ends_anyway():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=300
    )
    _, in_command, at_end = done.stdout.splitlines()
    is_enabled, frozen, seen = in_command.removeprefix("in the command ").split()
    assert is_enabled == "True"
    assert int(seen) < FEW < int(frozen)
    assert int(at_end.removeprefix("at the end ")) < 1000
