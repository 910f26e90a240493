"""Peak memory of commands at a hundred thousand and at a million candidates, and of a worker.

    python -m benchmarks.memory

Each command runs in its own process. What grows with the number of candidates shows as a ratio
above one between the two columns. A worker's memory is read after each of its batches.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path

import psutil
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from benchmarks import exporting, queries
from benchmarks.page import put_section, to_table
from chatgenimage.db.models import Batch
from chatgenimage.db.session import Sessions, connect, upgrade
from chatgenimage.db.states import BatchState
from chatgenimage.factory.settings.model import DATABASE_FILE
from chatgenimage.factory.sockets import listen

CANDIDATES = 1_000_000
IMAGES = 100_000
LABELS = 100_000
SMALLER = 10
BATCHES = 20
BATCH_SIZE = 2
MIB = 1024**2
POLL_S = 0.2
PATIENCE_S = 1800
FORMATS = ("coco", "yolo-segment", "parquet", "webdataset")
PAGES = ("/runs", "/runs/1", "/candidates", "/candidates?run=1&verdict=accepted&after=50000")
LIMIT = "{limit}"
COMMANDS: dict[str, Sequence[str]] = {
    "`factory status`": ("status",),
    "`factory query`, a tenth as JSON": ("query", "--limit", LIMIT, "--format", "json"),
    "`factory report` of a run of 100,000": ("report", "1"),
}
"""Commands over the large database, by their row of the table."""


def main() -> None:
    """Measure, print and write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=CANDIDATES)
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--labels", type=int, default=LABELS)
    asked = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix=".benchmark-", dir=".") as name:
        folder = Path(name)
        rows += list(measure_submitting(folder, asked.labels))
        rows += list(measure_commands(folder, asked.candidates))
        rows += list(measure_exports(folder, asked.images))
        worker = measure_worker(folder / "worker")
    text = to_markdown(rows, worker)
    put_section("Memory", "python -m benchmarks.memory", text)
    print(text)  # noqa: T201  # its results


Row = tuple[str, str, float, float]


def measure_submitting(folder: Path, labels: int) -> Iterator[Row]:
    """Yield the row of `factory submit` with a long list of labels."""
    peaks = []
    for count in (labels // SMALLER, labels):
        words = folder / f"{count}.txt"
        words.write_text("".join(f"word {number}\n" for number in range(count)), encoding="utf-8")
        command = ("submit", "--file", str(words), "--profile", "lite")
        peaks.append(peak_mib(command, folder / f"submit-{count}"))
    yield "`factory submit`", f"{labels:,} labels", peaks[0], peaks[1]


def measure_commands(folder: Path, candidates: int) -> Iterator[Row]:
    """Yield the rows of commands that read a large database, and of the gallery."""
    places = []
    for count in (candidates // SMALLER, candidates):
        place = folder / f"database-{count}"
        place.mkdir()
        upgrade(f"sqlite:///{place / DATABASE_FILE}")
        queries.fill(connect(f"sqlite:///{place / DATABASE_FILE}"), count)
        places.append(place)
    amount = f"{candidates:,} candidates"
    smaller, larger = places
    limits = (candidates // SMALLER // SMALLER, candidates // SMALLER)
    for what, command in COMMANDS.items():
        small, large = (
            peak_mib([word.replace(LIMIT, str(limit)) for word in command], place)
            for place, limit in zip(places, limits, strict=True)
        )
        yield what, amount, small, large
    yield "the gallery, after four pages", amount, gallery_mib(smaller), gallery_mib(larger)


def measure_exports(folder: Path, images: int) -> Iterator[Row]:
    """Yield the rows of exports."""
    places = []
    for count in (images // SMALLER, images):
        places.append(folder / f"images-{count}")
        exporting.fill(places[-1], count)
    for name in FORMATS:
        command = ("export", name, "--out")
        small, large = (peak_mib((*command, str(place / name)), place) for place in places)
        yield f"`factory export {name}`", f"{images:,} images", small, large


def peak_mib(command: Sequence[str], data_dir: Path) -> float:
    """Run a command of the factory to its end; return its peak memory in MiB."""
    process = start(command, data_dir)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise RuntimeError(f"factory {' '.join(command)} ended with status {status}")
    return usage.ru_maxrss / 1024


def gallery_mib(data_dir: Path) -> float:
    """Return the memory of the gallery's server after it showed some pages, in MiB."""
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    process = start(("gallery", "--port", str(port), "--no-open"), data_dir)
    try:
        for path in PAGES:
            get(port, path)
        return float(psutil.Process(process.pid).memory_info().rss) / MIB
    finally:
        process.terminate()
        process.wait()


def get(port: int, path: str) -> None:
    """Request a page, as soon as the server has started."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        try:
            connection.request("GET", path)
            connection.getresponse().read()
        except ConnectionRefusedError:
            time.sleep(POLL_S)
        else:
            return


def start(command: Sequence[str], data_dir: Path) -> subprocess.Popen[bytes]:
    """Start a command of the factory."""
    return subprocess.Popen(  # noqa: S603  # our own command
        [sys.executable, "-m", "chatgenimage", *command, "--data-dir", str(data_dir)],
        stdout=subprocess.DEVNULL,
        env=os.environ | {"FACTORY_CHAIN__BATCH_SIZE": str(BATCH_SIZE), "OPENAI_API_KEY": "unused"},
    )


def measure_worker(data_dir: Path) -> dict[int, float]:
    """Return the memory of the model process in MiB after each number of batches."""
    words = ("run", "dog", "house", "--per-label", str(BATCH_SIZE * BATCHES // 2))
    found: dict[int, float] = {}
    with ExitStack() as stack:
        process = start((*words, "--workers", "1", "--seed", "1"), data_dir)
        stack.callback(process.wait)
        sessions = connect(f"sqlite:///{data_dir / DATABASE_FILE}")
        while process.poll() is None:
            time.sleep(POLL_S)
            done = batches_done(sessions)
            if done and done not in found:
                found[done] = model_process_mib(process.pid)
    return found


def batches_done(sessions: Sessions) -> int:
    """Return how many batches are done; 0 if there are no tables yet."""
    try:
        with sessions() as session:
            asked = select(func.count()).select_from(Batch).where(Batch.state == BatchState.DONE)
            return session.scalar(asked) or 0
    except OperationalError:
        return 0


def model_process_mib(pid: int) -> float:
    """Return the memory of the largest process under `pid`: the one that has the models."""
    children = psutil.Process(pid).children(recursive=True)
    return float(max((child.memory_info().rss for child in children), default=0)) / MIB


def to_markdown(rows: Sequence[Row], worker: dict[int, float]) -> str:
    """Return the section of the page."""
    body = [
        (what, amount, f"{small:.0f}", f"{large:.0f}", f"{large / small:.1f}")
        for what, amount, small, large in rows
    ]
    heads = ("", "amount", "peak MiB at a tenth", "peak MiB", "times")
    batches = to_table(
        ("batches done", *map(str, worker)),
        [("MiB", *(f"{mib:.0f}" for mib in worker.values()))],
    )
    return f"""\
{to_table(heads, body)}

A worker with the micro models, on batches of two images; its model process, after each number of
batches:

{batches}
"""


if __name__ == "__main__":
    main()
