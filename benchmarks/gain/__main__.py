"""Benchmark of the data: `python -m benchmarks.gain` writes docs/gain.md.

It renders few "real" images on two backgrounds and a test set on the six others, makes a run of
the factory, and trains a small detector on each choice of these images by the code of `factory
gain`. The tiny models and the sprites (`make sprites`) are all it needs. What is finished stays in
the folder of `--work`; the same command resumes there.
"""
# ruff: noqa: T201  (what happens goes to stdout)

import argparse
import os
from dataclasses import replace
from pathlib import Path

from benchmarks.gain.page import write_page
from benchmarks.gain.setting import FULL, QUICK
from benchmarks.gain.trainings import collect, prepare, train
from training.places import ROOT, SPRITES

WORK = ROOT / ".benchmark-gain"


def main(arguments: list[str] | None = None) -> int:
    """Make the images, train, and write the page."""
    asked = _parser().parse_args(arguments)
    if not asked.sprites.is_dir():
        print(f"no sprites in {asked.sprites}; fetch them with `make sprites`.")
        return 2
    setting = replace(QUICK if asked.quick else FULL, sprites=asked.sprites)
    if asked.seeds:
        setting = replace(setting, seeds=tuple(range(asked.seeds)))
    material = prepare(setting, asked.work)
    if not asked.page:
        train(setting, asked.work, asked.processes)
    page = write_page(setting, material, collect(setting, asked.work, material), asked.docs)
    print(f"wrote {page}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gain", description=__doc__)
    parser.add_argument("--work", type=Path, default=WORK, help="folder of run and results")
    parser.add_argument("--sprites", type=Path, default=SPRITES, help="folder of object pictures")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="folder of the page")
    parser.add_argument("--seeds", type=int, help="how many seeds instead of five")
    parser.add_argument(
        "--processes", type=int, default=os.cpu_count() or 1, help="trainings at the same time"
    )
    parser.add_argument(
        "--page", action="store_true", help="train nothing, write what every seed has finished"
    )
    parser.add_argument(
        "--quick", action="store_true", help="try the code on a few images; no page worth reading"
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
