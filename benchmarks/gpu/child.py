"""One worker's model in a process of its own: works for as long as each line on stdin says."""
# ruff: noqa: T201  (the answers go to stdout)

import json
import sys
import time

import torch

from benchmarks.gpu.loops import Loops, loops_of
from chatgenimage.workers.config import FamilyConfig
from chatgenimage.workers.device import limit_memory, refuse_absent
from chatgenimage.workers.registry import load_family


def main(name: str, config: FamilyConfig, device: str, share: float, options: list[int]) -> None:
    """Load as a worker does, say so, and answer every line with what was done meanwhile."""
    batch, side_px = options
    refuse_absent(device)
    if share < 1.0:
        limit_memory(share, device)
    loops = loops_of(name, load_family(config, device), side_px, device)
    loops.factory(batch)
    print(json.dumps({"ready": name}), flush=True)
    for line in sys.stdin:
        print(json.dumps(_work(loops, batch, float(line), device)), flush=True)


def _work(loops: Loops, batch: int, seconds: float, device: str) -> dict[str, float]:
    started, images = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        loops.factory(batch)
        images += batch
    took_s = time.perf_counter() - started
    peak = torch.cuda.max_memory_reserved() if device.startswith("cuda") else 0
    return {"images": images, "seconds": took_s, "reserved_bytes": peak}


if __name__ == "__main__":
    from benchmarks.gpu.bench import ADAPTER

    asked = json.loads(sys.argv[1])
    main(
        asked["name"],
        ADAPTER.validate_python(asked["config"]),
        asked["device"],
        asked["share"],
        asked["options"],
    )
