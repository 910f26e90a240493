"""Share of the time in which the device is busy: `python -m benchmarks.device`.

The device is simulated: it sleeps, so it needs no processor, as a GPU does. Everything else is
real: workers and their children, messages, SQLite, files. With `--against CHECKOUT` the same is
measured with the product of another checkout, in turns.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.device.measure import IMAGES, PASS, Figures
from benchmarks.page import put_section, to_table

ROOT = Path(__file__).parents[2]
ROUNDS = 3
CASES = {
    "painter, 1024 px": ("painter", 1024, 0.90),
    "painter, 512 px": ("painter", 512, 0.95),
    "painter, 1024 px, S3": ("s3", 1024, 0.85),
    "three workers, 512 px": ("chain", 512, 0.85),
    "three workers, 1024 px": ("chain", 1024, 0.85),
}
"""Name of each case: what is measured, the side of its images, and the share that is wanted."""
WHERE_IT_GOES = """
In 0.1 s two cores have 200 ms. In that time each painter makes an image, and two are labelled. On
2026-11-28 that took 232 ms at 1024 px, so the cores were what all three devices waited for, and
81 ms at 512 px. These steps brought it to 106 ms and 45 ms, by turns on a busy machine:

- Coding and decoding were most of it: 39 ms to encode an image of 1024 px and 25 ms to decode it.
  They are 11 ms and 8 ms with another row filter and another library
  ([ADR 18](adr/0018-png-encoded-for-speed.md)). That is nearly the whole difference.
- Masks took 3 ms per image inside the transaction that writes the labels, while the other workers
  waited for SQLite's lock. Now they are encoded before it, several images at once.
- A copy of each image that was read ahead took up to 1 ms on the thread that drives the device. It
  is made only if the image is needed again.
- The labeller is as fast as both painters, so its next step was seldom ready when a pass began, and
  its images were read while the device waited. Now the step is searched for again during the pass.
- The forms of the class list's names were made again for every image; they are kept.

What is left at 1024 px, per image: 8 ms to decode, 11 ms to encode, 1 ms for the sha256, 3 ms for
two masks, and a quarter of the 20 ms to 40 ms that messages, rows and log lines of a pass of four
take. Between two passes the thread that drives the device needs 7 ms (`diffusion`) to 12 ms
(`labeling`) of processor time, most of it to claim the step and to read the rows of its items; the
worker's parent and the broker need 3 ms for the messages.
"""
Found = dict[tuple[str, str, str], list[Figures]]
"""Figures of all rounds by case, checkout and role."""


def main() -> None:
    """Measure in turns, print, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", type=Path, help="another checkout of the product")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--image-s", type=float, default=0.1, help="device time per image")
    parser.add_argument("--case", choices=CASES, action="append", help="default: all")
    parser.add_argument("--page", action="store_true", help="write docs/benchmarks.md")
    options = parser.parse_args()
    if options.against and not (options.against / "chatgenimage").is_dir():
        parser.error(f"--against {options.against}: no checkout of the product is there")
    checkouts = {"before": options.against} if options.against else {}
    found = measure(
        {**checkouts, "now": ROOT}, options.case or list(CASES), options.rounds, options.image_s
    )
    text = tell(found, options.image_s, options.rounds)
    print(text)  # noqa: T201  # its results
    if options.page:
        put_section("How busy the device is", "python -m benchmarks.device", text)


def measure(checkouts: dict[str, Path], cases: Sequence[str], rounds: int, image_s: float) -> Found:
    """Return the figures; each round measures every case with every checkout."""
    found: Found = {}
    for _ in range(rounds):
        for case in cases:
            for name, checkout in checkouts.items():
                for role, seen in measure_once(checkout, case, image_s).items():
                    found.setdefault((case, name, role), []).append(seen)
                    print(f"{case}  {name}  {role}  {seen}", file=sys.stderr)  # noqa: T201
    return found


def measure_once(checkout: Path, case: str, image_s: float) -> dict[str, Figures]:
    """Return the figures by role of one case, with the product of a checkout."""
    what, side_px, _ = CASES[case]
    with tempfile.TemporaryDirectory(prefix="device-", ignore_cleanup_errors=True) as name:
        # The working directory is searched first: only the product lies in it.
        (Path(name) / "chatgenimage").symlink_to(checkout.absolute() / "chatgenimage")
        answer = subprocess.run(  # noqa: S603  # our own module
            [
                *(sys.executable, "-W", "ignore", "-m", "benchmarks.device.measure"),
                *(what, str(Path(name) / "data"), "--side-px", str(side_px)),
                *("--image-s", str(image_s)),
            ],
            cwd=name,
            env=os.environ | {"PYTHONPATH": f"{name}{os.pathsep}{ROOT}"},
            stdout=subprocess.PIPE,
            check=True,
        )
    seen: dict[str, Figures] = json.loads(answer.stdout.splitlines()[-1])
    return seen


def tell(found: Found, image_s: float, rounds: int) -> str:
    """Return the section of the page."""
    names = list(dict.fromkeys(name for _, name, _ in found))
    places = list(dict.fromkeys((case, role) for case, _, role in found))
    rows = [
        [
            *(case, role),
            *(_share(found[case, name, role], "whole") for name in names),
            f"{CASES[case][2]:.2f}",
            *(_share(found[case, name, role], "together") for name in names),
            *(f"{_middle(found[case, name, role], 'processor_ms'):.0f}" for name in names),
        ]
        for case, role in places
    ]
    headings = [
        *("case", "device", *names, "wanted"),
        *(f"all at work, {name}" for name in names),
        *(f"ms per image, {name}" for name in names),
    ]
    return f"""
A device that takes {image_s} s per image and no processor: the families sleep. {IMAGES} images in
passes of {PASS}, which are steps of one pass each, so every pass ends with a message; real
workers (prefork), dispatcher, embedded broker, SQLite and files. The share is that of the time
between the first and the last pass of a device in which it computed; the median of {rounds}, with
the smallest and the largest. In the case of three workers, `labeling` labels what `diffusion` and
`editing` store meanwhile, at half the time per image; all three share the cores. It has as much
work as both painters together, so it cannot be busier than they are, and it is idle while only one
of them paints, at the start and at the end. "All at work" is the share between the latest first
pass of the three devices and the earliest last one. "ms per image" is the processor time of the
worker's child: reading, storing, messages and database.

{to_table(headings, rows)}

{WHERE_IT_GOES.strip()}
"""


def _share(found: Sequence[Figures], name: str) -> str:
    values = [each[name] for each in found]
    return f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def _middle(found: Sequence[Figures], name: str) -> float:
    return median(each[name] for each in found)


if __name__ == "__main__":
    main()
