"""The names under which workers hold claims, and whether the process behind a name still lives.

A name says which process computes, and for a child whose child it is: `labeling@box#12` or
`labeling@box#12/34`.
"""

import os
import socket
import uuid
from functools import cache
from pathlib import Path

PID_NAMESPACE = Path("/proc/self/ns/pid")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
BOOT_CHARS = 12


def name_owner(role: str, *, is_child: bool) -> str:
    """Return the name of this process as a worker of `role`."""
    if is_child:
        return f"{place_of(role)}#{os.getppid()}/{os.getpid()}"
    return f"{place_of(role)}#{os.getpid()}"


def place_of(role: str) -> str:
    """Return what the names of a role's workers on this machine begin with."""
    return f"{role}@{machine_name()}"


def is_mine(owner: str) -> bool:
    """Return whether the name is of this process or of a child that it has or had.

    When a process starts, it may also be that of an earlier one with the same number: that happens
    in every container that starts again.
    """
    place, _, pids = owner.rpartition("#")
    return place.endswith(f"@{machine_name()}") and pids.partition("/")[0] == str(os.getpid())


def is_dead(owner: str) -> bool:
    """Return whether the process of this name is known to be gone; others may only be silent.

    Only the machine that it ran on can know. A stranger that has its number by now hides it until
    its lease ends.
    """
    place, _, pids = owner.rpartition("#")
    pid = pids.rpartition("/")[2]
    if not place.endswith(f"@{machine_name()}") or not pid.isdecimal():
        return False
    return not _runs(int(pid))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Return whether the process has ended and only its parent does not know yet (Linux)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return state.rpartition(")")[2].split()[0] == "Z"


@cache
def machine_name() -> str:
    """Return the machine's name, its boot, and on Linux the process numbers that it sees.

    The first PID namespace has the same number on every Linux, and clones of one machine image
    share their host name; no two boots share an id.
    """
    try:
        boot = BOOT_ID.read_text(encoding="ascii").replace("-", "").strip()[:BOOT_CHARS]
        return f"{socket.gethostname()}.{boot}.{PID_NAMESPACE.stat().st_ino}"
    except OSError:
        return f"{socket.gethostname()}.{uuid.getnode():012x}"
