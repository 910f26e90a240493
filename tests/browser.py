"""Debian's Chromium, headless, driven through playwright."""

import os
import shutil
from contextlib import contextmanager

import pytest


@contextmanager
def open_page(**context):
    """Yield a blank page of a browser of its own; arguments are those of a playwright context."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        reason = "no browser found: apt-get install chromium"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield browser.new_context(**context).new_page()
        finally:
            browser.close()
