"""Take the screenshots in docs/images from a real run: `make screenshots`; takes minutes."""  # noqa: INP001  (a script, no package)
# ruff: noqa: S603  (it runs only commands of this project)

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console

from chatgenimage.factory.progress.live_view import live_view
from chatgenimage.factory.progress.snapshot import RunMonitor, RunSnapshot
from chatgenimage.factory.query.store import open_store

IMAGES = Path(__file__).parent / "images"
LABELS = ("house", "owl", "car")
LOGIN = ("factory", "open-sesame")
COLUMNS, LINES = 132, 40
RUN = 2


def main() -> None:
    """Start a small run, so that durations are known, then a larger one; show its progress."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        os.environ |= {
            "FACTORY_DATA_DIR": folder,
            "FACTORY_FLOWER_BASIC_AUTH": ":".join(LOGIN),
        }
        subprocess.run(_factory("run", "dog", "--per-label", "2"), check=True)
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox"] if os.getuid() == 0 else [],
        )
        with _served("flower") as flower, _served("gallery") as gallery:
            run = subprocess.Popen(_factory("run", *LABELS, "--per-label", "16"))
            _show_running(browser, Path(folder), flower, gallery)
            run.wait()
            _show_done(browser, Path(folder), gallery)
        subprocess.run(_factory("report", str(RUN), "--out", f"{folder}/report.html"), check=True)
        page = _open(browser, f"file://{folder}/report.html", (1200, 1090))
        _take(page, "report")
        browser.close()


def _factory(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "chatgenimage", *arguments]


@contextmanager
def _served(name: str) -> Iterator[str]:
    """Run a command that serves pages; yield the URL that it prints."""
    process = subprocess.Popen(
        _factory(name, "--port", "0"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        bufsize=1,
    )
    assert process.stdout is not None  # noqa: S101  # a pipe
    address = next(
        found[1] for line in process.stdout if (found := re.search(r"(http://[^/\s]+)", line))
    )
    try:
        yield address
    finally:
        process.terminate()
        process.wait()


def _show_running(browser: Browser, folder: Path, flower: str, gallery: str) -> None:
    """Show the active run in a terminal, in Flower and in the gallery."""
    with open_store(folder) as store:
        while len(store.runs()) < RUN:
            time.sleep(1)
        monitor = RunMonitor(store.sessions, RUN)
        page = _open(browser, f"{gallery}/runs/{RUN}", color_scheme="dark")
        while not _shows_a_fill(snapshot := monitor.look(LINES)):
            time.sleep(1)
        _show_terminal(browser, snapshot)
        _take(page, "gallery-run")
    user, password = LOGIN
    login = {"username": user, "password": password}
    tasks = _open(browser, f"{flower}/tasks", (1500, 760), http_credentials=login)
    tasks.get_by_text(f"run {RUN} ·").first.wait_for()
    _take(tasks, "flower-tasks")


def _shows_a_fill(snapshot: RunSnapshot) -> bool:
    """Return whether a run is far enough to show every part of the view."""
    return snapshot.eta_s is not None and any(held.step == "fill" for held in snapshot.held_steps)


def _show_terminal(browser: Browser, snapshot: RunSnapshot) -> None:
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(live_view(snapshot, COLUMNS, LINES))
    svg = console.export_svg(title=f"factory watch {snapshot.run_id}")
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.set_content(f'<body style="margin:0">{svg}</body>')
    _save(page.locator("svg").first.screenshot(), "watch")


def _show_done(browser: Browser, folder: Path, gallery: str) -> None:
    with open_store(folder) as store:
        ids = [row.id for row in store.candidates(run=RUN, verdict="accepted", limit=8)]
        fills = list(store.candidates(run=RUN, verdict="accepted", origin="filled"))
    subprocess.run(_factory("mark", "good", *map(str, ids[:5])), check=True)
    subprocess.run(_factory("mark", "bad", str(ids[5])), check=True)
    best = max(fills, key=lambda row: (len(row.annotations), row.scores["fill_iou"]))
    one = f"{gallery}/candidates/{best.id}?run={RUN}&verdict=accepted"
    _take(_open(browser, f"{gallery}/candidates?run={RUN}", (1200, 820)), "gallery-candidates")
    _take(_open(browser, one, (1200, 900)), "gallery-candidate")
    _take(_open(browser, one, (360, 740)), "gallery-phone")


def _open(
    browser: Browser, address: str, size: tuple[int, int] = (1200, 900), **options: object
) -> Page:
    width, height = size
    page = browser.new_page(viewport={"width": width, "height": height}, **options)  # type: ignore[arg-type]
    page.goto(address)
    page.wait_for_load_state()
    return page


def _take(page: Page, name: str) -> None:
    page.wait_for_timeout(500)  # for its images to load
    _save(page.screenshot(), name)


def _save(png: bytes, name: str) -> None:
    with Image.open(io.BytesIO(png)) as image:
        image.convert("RGB").save(IMAGES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
