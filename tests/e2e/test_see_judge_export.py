"""A run that is watched in a terminal, in Flower and in the gallery, reviewed and exported."""

import json
import re
import subprocess
import time
from contextlib import contextmanager

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import START_UP_S, interrupt

LABELS = ("dog", "house")
LOGIN = "somebody:open-sesame"
RATE = re.compile(r"images per minute\s*\d")
PATIENCE_MS = START_UP_S * 1000


@pytest.fixture
def page(chromium):
    """A browser page with the password of Flower."""
    user, _, password = LOGIN.partition(":")
    with chromium.new_context(http_credentials={"username": user, "password": password}) as context:
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        yield page


@contextmanager
def served(factory, name):
    """Run a command that serves pages; yield the URL that it prints, then press Ctrl-C."""
    process = factory.start(name, "--port", "0")
    try:
        deadline = time.monotonic() + START_UP_S
        told = re.compile(rf"(?i){name}:? +(http://[^/\s]+)")
        while not (found := told.search(factory.log.read_text())):
            assert process.poll() is None, factory.log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield found[1]
    finally:
        interrupt(process)


def test_a_run_is_watched_in_three_places_judged_and_exported(factory, page, tmp_path, monkeypatch):
    monkeypatch.setenv("FACTORY_FLOWER_BASIC_AUTH", LOGIN)
    assert factory.call("migrate").returncode == 0
    with served(factory, "flower") as flower, served(factory, "gallery") as gallery:
        assert factory.call("submit", *LABELS, "--per-label", "3").returncode == 0
        terminal = subprocess.Popen(
            factory.command("watch", "1", "--json", "--interval", "1"),
            stdout=subprocess.PIPE,
            text=True,
        )
        page.goto(f"{gallery}/runs/1")
        expect(page.get_by_role("heading", name="Progress")).to_be_visible()
        run = factory.start("resume", "1", "--workers", "1")  # now it can be seen from its start
        expect(page.locator(".held-steps")).to_contain_text(
            re.compile("batch 0 · round"), timeout=PATIENCE_MS
        )
        expect(page.locator(".facts")).to_contain_text(RATE, timeout=PATIENCE_MS)
        of_the_run = page.context.new_page()
        of_the_run.goto(f"{flower}/tasks")
        expect(of_the_run.locator("#tasks-table")).to_contain_text(
            re.compile(r"run 1 · (dog|house) · batch 0 · round [01]"), timeout=PATIENCE_MS
        )
        ended = page.get_by_role("heading", name="Remaining after each step")
        expect(ended).to_be_visible(timeout=PATIENCE_MS)
        assert run.wait(START_UP_S) == 0
        moments = [
            json.loads(line) for line in terminal.communicate(timeout=START_UP_S)[0].splitlines()
        ]
        assert {moment["state"] for moment in moments[:-1]} == {"active"}
        assert moments[-1]["state"] == "done"

        accepted = ids_on(page, f"{gallery}/candidates?verdict=accepted")
        rejected = ids_on(page, f"{gallery}/candidates?verdict=rejected")
        mark(page, f"{gallery}/candidates/{min(accepted)}?verdict=accepted", "b")
        mark(page, f"{gallery}/candidates/{min(rejected)}?verdict=rejected", "g")

    kept = accepted - {min(accepted)} | {min(rejected)}
    assert exported_ids(factory, tmp_path / "reviewed", "--use-reviews") == kept


def ids_on(page, address):
    """Return the ids of the candidates on a page."""
    page.goto(address)
    hrefs = page.locator(".card a").evaluate_all("all => all.map(one => one.pathname)")
    assert hrefs
    return {int(href.rpartition("/")[2]) for href in hrefs}


def mark(page, address, key):
    """Review a candidate with a key."""
    page.goto(address)
    page.wait_for_load_state()
    page.keyboard.press(key)
    expect(page.get_by_role("status")).to_contain_text(re.compile("reviewed as|Saved"))


def exported_ids(factory, folder, *options):
    """Return the ids of the candidates in a dataset."""
    exported = factory.call("export", "coco", "--out", str(folder), *options)
    assert exported.returncode == 0, exported.stderr
    coco = json.loads((folder / "annotations" / "instances_train.json").read_text())
    return {image["id"] for image in coco["images"]}
