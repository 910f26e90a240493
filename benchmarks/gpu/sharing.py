"""Two roles on one card: each a process with a share of its memory, alone and at once."""

import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from benchmarks.gpu.bench import DTYPES, FAMILIES, Bench

PAIRS = (("sd15", "ip2p"), ("sd15", "blip2"))
BATCH = 4
SHARE = 0.4
SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class Child:
    """A process that works when it is asked to."""

    name: str
    process: "subprocess.Popen[str]"

    def tell(self, seconds: float) -> None:
        """Let it work for so long."""
        assert self.process.stdin is not None  # noqa: S101  (a pipe)
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """Return what it says next.

        Raises:
            ChildProcessError: If it ended.
        """
        assert self.process.stdout is not None  # noqa: S101  (a pipe)
        while line := self.process.stdout.readline():
            if line.startswith("{"):
                heard: dict[str, Any] = json.loads(line)
                return heard
        raise ChildProcessError(f"the process of {self.name} ended with {self.process.wait()}")


def measure(bench: Bench, seconds: float = SECONDS) -> None:
    """Measure each role alone, then each pair at once."""
    names = list(dict.fromkeys(name for pair in PAIRS for name in pair))
    with ExitStack() as stack:
        children = {name: stack.enter_context(_start(bench, name)) for name in names}
        roles = {name: Child(name, process) for name, process in children.items()}
        for role in roles.values():
            role.hear()
        alone = {name: _work_at_once(bench, [roles[name]], seconds)[0] for name in names}
        for pair in PAIRS:
            if not bench.has_time(2 * seconds, pair=list(pair)):
                continue
            both = _work_at_once(bench, [roles[name] for name in pair], seconds)
            kept = [
                now / before
                for now, before in zip(both, [alone[name] for name in pair], strict=True)
            ]
            bench.add(pair=list(pair), kept_share=kept, together=sum(kept))
        for process in children.values():
            assert process.stdin is not None  # noqa: S101  (a pipe)
            process.stdin.close()


def _work_at_once(bench: Bench, roles: Sequence[Child], seconds: float) -> list[float]:
    """Return images per second of each."""
    for role in roles:
        role.tell(seconds)
    heard = [role.hear() for role in roles]
    rates = [answer["images"] / answer["seconds"] for answer in heard]
    for role, rate, answer in zip(roles, rates, heard, strict=True):
        beside = [other.name for other in roles if other is not role]
        what = {"network": role.name, "beside": beside, "batch": BATCH, "share": SHARE}
        bench.add(**what, images_per_s=rate, reserved_bytes=answer["reserved_bytes"])
    return rates


def _start(bench: Bench, name: str) -> "subprocess.Popen[str]":
    config = {
        "family": FAMILIES[name],
        "checkpoint": str(bench.checkpoint(name)),
        "dtype": DTYPES[name] if bench.on_cuda else "float32",
        **bench.defaults(name),
    }
    asked = {
        "name": name,
        "config": config,
        "device": bench.device,
        "share": SHARE,
        "options": [BATCH, bench.sizes.side_px],
    }
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "benchmarks.gpu.child", json.dumps(asked)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
