"""How quickly the gallery answers over 100,000 candidates: `python -m benchmarks.gallery`.

A run of 1,000 candidates per label is made by the database itself, as in `benchmarks.queries`, and
served by the real server over HTTP. Every page is told as a ratio to the page that shows nothing
but an error, from the same server at the same time: that is what HTTP, guards and templates cost.
"""
# ruff: noqa: T201  (results go to stdout)

import argparse
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
from sqlalchemy import text

from benchmarks.queries import fill
from chatgenimage.db.session import connect, upgrade
from chatgenimage.factory.gallery.serving import bind, make_server
from chatgenimage.factory.query.store import open_store
from chatgenimage.factory.settings.model import DATABASE_FILE
from chatgenimage.workers import masks

CANDIDATES = 100_000
TIMES = 40
RADIUS_PX = 20
BARE = "/nothing"
PAGES = {
    "runs": "/runs",
    "a run": "/runs/1",
    "the first candidates": "/candidates",
    "candidates in the middle": "/candidates?after=50000",
    "the last candidates": "/candidates?after=99900",
    "the middle of the accepted": "/candidates?run=1&verdict=accepted&after=50000",
    "the middle of one label": "/candidates?label=label42&after=42500",
    "a rare reason": "/candidates?reason=not_measured",
    "a caption word": "/candidates?caption=place7",
    "an object": "/candidates?object=thing3",
    "a score range": "/candidates?score=clip_similarity&min=0.4&max=0.9",
    "unmarked": "/candidates?marked=none",
    "a candidate": "/candidates/55554?verdict=accepted",
    "a candidate among few": "/candidates/55554?reason=not_measured",
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=CANDIDATES)
    parser.add_argument("--times", type=int, default=TIMES)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, _served(Path(folder), asked.candidates) as port:
        taken = _time_in_turn(port, asked.times)
    bare = statistics.median(taken[BARE])
    print(f"{asked.candidates:,} candidates; the bare page takes {bare * 1000:.1f} ms (p50)\n")
    print("| page | p50 / bare | p95 / bare |\n|---|---|---|")
    for name, path in PAGES.items():
        p95 = statistics.quantiles(taken[path], n=20)[-1]
        print(f"| {name} | {statistics.median(taken[path]) / bare:.1f} | {p95 / bare:.1f} |")


def _time_in_turn(port: int, times: int) -> dict[str, list[float]]:
    """Return the seconds of each page; in turn, so that a busy moment is everybody's."""
    connection = HTTPConnection("127.0.0.1", port)
    taken: dict[str, list[float]] = {path: [] for path in (BARE, *PAGES.values())}
    for _ in range(times + 1):  # the first warms up
        for path, seconds in taken.items():
            started = time.perf_counter()
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            seconds.append(time.perf_counter() - started)
            assert answer.status == (404 if path == BARE else 200), path  # noqa: S101
    return {path: seconds[1:] for path, seconds in taken.items()}


@contextmanager
def _served(folder: Path, candidates: int) -> Iterator[int]:
    url = f"sqlite:///{folder / DATABASE_FILE}"
    upgrade(url)
    sessions = connect(url)
    fill(sessions, candidates)
    with sessions.begin() as session:
        session.execute(text("UPDATE annotation SET rle = json(:rle)"), {"rle": _disc()})
    with open_store(folder) as store, bind("127.0.0.1", 0, None).socket as bound:
        server = make_server(store, token=None)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield int(bound.getsockname()[1])
        server.should_exit = True
        thread.join()


def _disc() -> str:
    rows, columns = np.ogrid[:64, :64]
    return json.dumps(dict(masks.encode(np.hypot(rows - 30, columns - 30) < RADIUS_PX)))


if __name__ == "__main__":
    main()
