"""Utilisation of the card during a measurement, read from its driver."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch

PROGRAM = "nvidia-smi"
EVERY_S = 0.1


def describe_card() -> dict[str, str]:
    """Return the card's name, memory and driver; {} without one."""
    names = ("name", "memory.total", "driver_version")
    query = [PROGRAM, f"--query-gpu={','.join(names)}", "--format=csv,noheader"]
    with suppress(OSError, subprocess.CalledProcessError):
        text = subprocess.run(query, capture_output=True, text=True, check=True)  # noqa: S603
        return dict(zip(names, text.stdout.splitlines()[0].split(", "), strict=True))
    return {}


@contextmanager
def utilisation() -> Iterator[dict[str, Any]]:
    """Yield what becomes the mean share of the time in which the card computed anything.

    Empty without a card, or without the package nvidia-ml-py.
    """
    found: dict[str, Any] = {}
    shares: list[float] = []
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(shares, ended), daemon=True)
    watcher.start()
    try:
        yield found
    finally:
        ended.set()
        watcher.join()
    if shares:
        found |= {"driver_busy_share": sum(shares) / len(shares), "samples": len(shares)}


def _watch(shares: list[float], ended: threading.Event) -> None:
    if not torch.cuda.is_available():
        return
    with suppress(ModuleNotFoundError, RuntimeError):
        while not ended.wait(EVERY_S):
            shares.append(torch.cuda.utilization() / 100)
