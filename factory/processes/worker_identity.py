"""Names under which workers hold claims, and checks whether a named process is still alive.

A name has the role, the host, the worker's pid and, for a child process, its own pid:
`labeling@box#12` or `labeling@box#12/34`.
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
        return f"{name_prefix(role)}#{os.getppid()}/{os.getpid()}"
    return f"{name_prefix(role)}#{os.getpid()}"


def parent_of(owner: str) -> str:
    """Return the name of the process that started the child of this name."""
    return owner.rpartition("/")[0]


def name_prefix(role: str) -> str:
    """Return what the names of a role's workers on this machine begin with."""
    return f"{role}@{machine_name()}"


def is_mine(owner: str) -> bool:
    """Return whether the name belongs to this process or to one of its children.

    When a process starts, the name may also be that of an earlier process with the same pid: this
    happens in every restarted container.
    """
    place, _, pids = owner.rpartition("#")
    return place.endswith(f"@{machine_name()}") and pids.partition("/")[0] == str(os.getpid())


def is_dead(owner: str) -> bool:
    """Return whether the process of this name is known to have ended.

    Only the host that it ran on can know. If another process has its pid by now, the name counts
    as alive until its lease ends.
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
    """Return whether the process has ended but its parent has not collected it (Linux)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return state.rpartition(")")[2].split()[0] == "Z"


@cache
def machine_name() -> str:
    """Return the host name and, on Linux, the boot id and the pid namespace.

    Clones of a machine image share their host name, and the first pid namespace has the same
    number on every Linux; but no two boots share an id.
    """
    try:
        boot = BOOT_ID.read_text(encoding="ascii").replace("-", "").strip()[:BOOT_CHARS]
        return f"{socket.gethostname()}.{boot}.{PID_NAMESPACE.stat().st_ino}"
    except OSError:
        return f"{socket.gethostname()}.{uuid.getnode():012x}"
