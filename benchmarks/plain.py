"""Time of `factory run` on all cores and on one, against a plain script over the same classes.

    python -m benchmarks.plain [--rounds 3] [--against CHECKOUT]

Each round runs, in turns: the plain loop (`benchmarks/plain_loop.py`, one process), `factory run
--workers 1`, and `factory run`; and `factory run` of another checkout, e.g. of an earlier version.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.page import put_section, to_table
from benchmarks.run_command import TimedRun, time_run

LABELS = ("dog", "house", "tree", "car", "owl", "castle")
SEED, PER_LABEL = 5, 8
WORDS = (*LABELS, "--per-label", str(PER_LABEL), "--seed", str(SEED))
START_UP = """\
Start-up is processor time, nearly all of it imports. On the way to the first candidates, measured
in seconds of one busy core: 2.0 in the command before it starts the workers, 1.5 in a worker's
first process, 1.0 in its child before the models; then 7.3 in imports of PyTorch, transformers and
diffusers (4,800 modules) and in loading weights, and 2.9 in the first pass of eight images. A
script that only imports, loads and paints these eight needs 11.4 of the 14.7: a start-up without
queue and database would be shorter by a quarter at most.

What makes it shorter: no garbage collection while a command is imported and when it ends, Celery's
worker without its command line, and a contact sheet that is drawn while the workers stop. That end
took 20, 21 and 31 s on two busy cores, and takes 5, 3 and 7 s. What was tried and left out:

- diffusers without PEFT, or with a lazy `scipy.stats`: no gain, transformers imports the same
  modules. Only the pipelines that are used, instead of all that diffusers chooses from: 5 %.
- Only the module of the command that is called: 0.1 of 1.3 s.
- One import for all workers. A child that is forked from a process with threads may wait for ever
  for a lock, and one that is forked after CUDA was used cannot use it. Celery knows no third way:
  its start methods are `fork` and `spawn`.
- Loading the labelling models after the first pass: a model that does not load would be noticed
  only after images were made. It would save one of the 14.7 seconds.
"""
"""Where start-up goes; measured once, under load, with Python 3.11 and the micro profile."""
PLAIN, ONE, ALL, OTHER = "plain script", "--workers 1", "all cores", "an earlier version"


def main() -> None:
    """Measure in turns and write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="of each, in turns")
    parser.add_argument(
        "--against", type=Path, help="another checkout, whose `factory run` runs too"
    )
    arguments = parser.parse_args()
    rounds = [measure(arguments.against) for _ in range(arguments.rounds)]
    report = describe(rounds)
    put_section("A run, and a plain script", "python -m benchmarks.plain", report)
    print(report)  # noqa: T201


def measure(other: Path | None) -> dict[str, dict[str, float]]:
    """Return the seconds of one round: of the steps, of the command, to the first candidate.

    The images of the three are compared; a difference is an error.
    """
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        plain = run_plain(root / "plain")
        one, one_s = time_run(root / "one", [*WORDS, "--workers", "1"])
        every, every_s = time_run(root / "all", WORDS)
        compare(plain["images"], one, every)
        found = {
            PLAIN: {"steps": plain["seconds"]},
            ONE: _times(one, one_s),
            ALL: _times(every, every_s),
        }
        if other:
            earlier, earlier_s = time_run(root / "other", WORDS, other.resolve())
            found[OTHER] = _times(earlier, earlier_s)
        return found


def run_plain(folder: Path) -> dict[str, Any]:
    """Return what the plain script printed."""
    numbers = [str(folder), str(SEED), str(PER_LABEL)]
    command = [sys.executable, "-m", "benchmarks.plain_loop", *numbers, *LABELS]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def compare(plain: dict[str, str], one: TimedRun, every: TimedRun) -> None:
    """Check that the images are the same.

    Raises:
        SystemExit: If they are not.
    """
    if one.images != every.images:
        raise SystemExit("--workers 1 and all cores made different candidates or verdicts")
    hashes = {name: sha256 for name, (sha256, _) in one.images.items()}
    if plain != hashes:
        same = sum(plain.get(name) == sha256 for name, sha256 in hashes.items())
        raise SystemExit(f"the plain script: {same} of {len(hashes)} images are the same")


def describe(rounds: list[dict[str, dict[str, float]]]) -> str:
    """Return the medians as Markdown."""
    names = list(rounds[0])
    middle = {
        name: {
            key: statistics.median(each[name][key] for each in rounds) for key in rounds[0][name]
        }
        for name in names
    }
    base = middle[PLAIN]["steps"]
    rows = [
        (
            name,
            f"{found['steps']:.1f} s",
            f"{found['steps'] / base:.2f}",
            f"{found['wall']:.1f} s" if "wall" in found else "",
            f"{found['first']:.1f} s" if "first" in found else "",
        )
        for name, found in middle.items()
    ]
    heads = ("", "after start-up", "of the plain script", "whole command", "first candidates after")
    return f"""\
`factory run {" ".join(WORDS)}`, and Algorithm 1 as one script over the same classes and
checkpoints, without queue and database; medians of {len(rounds)} rounds in turns. All make the
same images. Start-up ends with the first step.

{to_table(heads, rows)}

{START_UP}"""


def _times(run: TimedRun, steps_s: float) -> dict[str, float]:
    return {"steps": steps_s, "wall": run.wall_s, "first": run.first_s}


if __name__ == "__main__":
    main()
