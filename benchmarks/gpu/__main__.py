"""GPU benchmark: speed and memory of the factory, over random networks of the published sizes.

`python -m benchmarks.gpu --out FOLDER` measures for as long as `--budget` allows and writes every
result at once to `gpu.json` there; `--page` writes the page of the last results. Without a GPU the
same code runs on tiny networks (`--tiny`), to see that it works: such numbers say nothing.
"""
# ruff: noqa: T201  (what happens goes to stdout)

import argparse
import json
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import torch

from benchmarks.gpu.bench import Bench, Results
from benchmarks.gpu.page import write_page
from benchmarks.gpu.parts import PARTS
from benchmarks.gpu.sizes import PUBLISHED, TINY
from benchmarks.gpu.watching import describe_card

RESULTS_FILE = "gpu.json"
BUDGET_S = 460.0


def main(arguments: list[str] | None = None) -> int:
    """Measure, and write down what was found."""
    asked = _parser().parse_args(arguments)
    out = Path(asked.out)
    if asked.page:
        write_page(json.loads((out / RESULTS_FILE).read_text(encoding="utf-8")))
        return 0
    on_cuda = torch.cuda.is_available() and not asked.cpu
    if not (on_cuda or asked.tiny):
        print("no GPU here: torch sees none. `--tiny` tries the code on tiny networks.")
        return 1
    out.mkdir(parents=True, exist_ok=True)
    machine = describe_machine("cuda" if on_cuda else "cpu") | {"steps": asked.steps}
    results = Results(out / RESULTS_FILE, machine)
    with tempfile.TemporaryDirectory(prefix="factory-gpu-", dir=asked.scratch) as folder:
        bench = Bench(
            folder=Path(folder),
            device="cuda" if on_cuda else "cpu",
            sizes=TINY if asked.tiny else PUBLISHED,
            results=results,
            steps=asked.steps,
            batches=tuple(asked.batches),
            budget_s=asked.budget,
            say=lambda text: print(text, flush=True),
        )
        for name in asked.parts:
            run_part(bench, name)
    return int(bench.failed())


def run_part(bench: Bench, name: str) -> None:
    """Run a part; what goes wrong in it is a result, and the next part runs all the same."""
    part, budget_s = PARTS[name]
    bench.begin(name, budget_s)
    started = time.monotonic()
    if not bench.has_time(1, part=name):
        return
    bench.attempt(lambda: part(bench), part=name)
    bench.results.add("seconds", part=name, seconds=time.monotonic() - started)


def describe_machine(device: str) -> dict[str, object]:
    """Return which card and which versions this was measured on."""
    names = ("diffusers", "transformers", "accelerate", "open_clip_torch", "numpy")
    return {
        "device": device,
        "day": time.strftime("%Y-%m-%d"),
        "card": describe_card(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "packages": {name: version(name) for name in names},
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.gpu")
    parser.add_argument("--out", default="benchmarks-gpu", help="folder of the results")
    parser.add_argument("--tiny", action="store_true", help="tiny networks: only a try")
    parser.add_argument("--cpu", action="store_true", help="as if there were no GPU")
    parser.add_argument(
        "--page", action="store_true", help="write docs/benchmarks.md; no measuring"
    )
    parser.add_argument("--scratch", help="folder for 25 GB of networks, e.g. /dev/shm")
    parser.add_argument("--budget", type=float, default=BUDGET_S, help="seconds in all")
    parser.add_argument("--steps", type=int, default=10, help="denoising steps of a pass")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 8, 16])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
