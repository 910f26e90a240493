"""Machine's resources for worker processes: cores, free memory and GPUs."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Self

CGROUP = Path("/sys/fs/cgroup")
MEMORY_INFO = Path("/proc/meminfo")
DEVICES = Path("/dev")
GPU_DRIVERS = ("nvidia[0-9]*", "kfd", "dxg")
"""Files in /dev of NVIDIA's driver, of AMD's, and of both on WSL."""
KIB = 1024


@dataclass(frozen=True, slots=True)
class Machine:
    """What worker processes can use.

    Attributes:
        cores: Processor cores, at least 1.
        gpus: GPUs that the profile's device means; 0: it computes on the processor.
        free_bytes: Memory for new processes; None: not known.
    """

    cores: int
    gpus: int
    free_bytes: int | None

    @classmethod
    def here(cls, device: str) -> Self:
        """Return this machine, for a profile's `device`."""
        return cls(count_cores(), count_gpus(device), free_memory_bytes())


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


def count_gpus(device: str, devices: Path = DEVICES) -> int:
    """Return the GPUs that a profile's `device` means; 0: it computes on the processor.

    PyTorch is imported only if a driver is present: that takes seconds.
    """
    if device == "cpu" or not _has_driver(devices):
        return 0
    if device == "mps" or ":" in device:
        return 1
    import torch

    if torch.cuda.is_available():
        return torch.cuda.device_count()
    return int(device != "cuda" and torch.backends.mps.is_available())


def _has_driver(devices: Path) -> bool:
    is_apple = platform.system() == "Darwin"
    return is_apple or any(any(devices.glob(name)) for name in GPU_DRIVERS)


def _numbers_in(text: str) -> dict[str, int]:
    """Return the second word of each line as a number, by the first word."""
    lines = [line.split() for line in text.splitlines()]
    return {line[0]: int(line[1]) for line in lines if len(line) > 1 and line[1].isdecimal()}


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""
