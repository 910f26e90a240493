"""Machine's resources for worker processes: cores, free memory and GPUs."""

import os
import platform
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
MEMORY_INFO = Path("/proc/meminfo")
GPU_DRIVERS = ("nvidia[0-9]*", "kfd", "dxg")
"""Files in /dev of NVIDIA's driver, of AMD's, and of both on WSL."""
KIB = 1024


def count_cores(cgroup: Path = CGROUP) -> int:
    """Return the processor cores that this process may use; a container may have fewer."""
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    quota, _, period = _read(cgroup / "cpu.max").partition(" ")
    if quota.isdecimal() and period.isdecimal():
        cores = min(cores, int(quota) // int(period))
    return max(1, cores)


def free_memory_bytes(info: Path = MEMORY_INFO, cgroup: Path = CGROUP) -> int | None:
    """Return the memory that new processes can use; None: not known."""
    found = [kib * KIB for name, kib in _numbers_in(_read(info)).items() if name == "MemAvailable:"]
    limit = _read(cgroup / "memory.max")
    if limit.isdecimal():
        used = _numbers_in(_read(cgroup / "memory.stat")).get("anon", 0)
        found.append(max(0, int(limit) - used))
    return min(found, default=None)


def count_gpus(device: str) -> int:
    """Return the GPUs that a profile's `device` means; 0: it computes on the processor.

    PyTorch is imported only if a driver is present: that takes seconds.
    """
    if device == "cpu" or not _has_driver():
        return 0
    if device == "mps" or ":" in device:
        return 1
    import torch

    if torch.cuda.is_available():
        return torch.cuda.device_count()
    return int(device != "cuda" and torch.backends.mps.is_available())


def _has_driver() -> bool:
    is_apple = platform.system() == "Darwin"
    return is_apple or any(any(Path("/dev").glob(name)) for name in GPU_DRIVERS)


def _numbers_in(text: str) -> dict[str, int]:
    """Return the second word of each line as a number, by the first word."""
    lines = [line.split() for line in text.splitlines()]
    return {line[0]: int(line[1]) for line in lines if len(line) > 1 and line[1].isdecimal()}


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""
