"""The tiers name folders that exist, and a fast test does only what it may."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import external, tiers


@dataclass
class Report:
    longrepr: tuple


@dataclass
class Item:
    path: Path
    mark: str

    def get_closest_marker(self, name):
        return self.mark == name


@pytest.mark.parametrize("name", [*tiers.OF_FOLDERS, *tiers.FIRST, *tiers.EACH_ALONE])
def test_a_folder_with_a_tier_or_a_place_exists(name):
    assert (tiers.TESTS / name).is_dir()


@pytest.mark.processes
def test_a_process_that_a_fast_test_starts_is_noticed():
    watch = tiers.Watch()
    watch.begin()
    subprocess.run([sys.executable, "-c", ""], check=True)
    noticed = watch.end()
    subprocess.run([sys.executable, "-c", ""], check=True)
    assert len(noticed) == 1
    assert "mark the test `processes`" in noticed[0]


def test_only_files_without_any_fast_test_are_left_out_of_the_fast_tier():
    contract, here = tiers.TESTS / "contract" / "test_detector.py", tiers.TESTS / "test_tiers.py"
    assert tiers.is_of_another_tier(contract, "fast")
    assert not tiers.is_of_another_tier(contract, "not slow")
    assert not tiers.is_of_another_tier(here, "fast")


def test_files_with_long_tests_come_first_and_stay_together():
    asked = [
        ("a.py", "fast"),
        ("b.py", "models"),
        ("c.py", "fast"),
        ("c.py", "processes"),
        ("chaos/d.py", "slow"),
    ]
    items = [Item(tiers.TESTS / name, mark) for name, mark in asked]
    tiers.put_longest_first(items)
    found = [(str(item.path.relative_to(tiers.TESTS)), item.mark) for item in items]
    assert found == [asked[4], asked[2], asked[3], asked[1], asked[0]]


def test_the_reasons_of_skipped_tests_are_counted():
    reports = [Report(("a.py", 1, f"Skipped: {why}")) for why in ("no S3", "no Redis", "no S3")]
    assert external.count_skipped(reports) == [("no S3", 2), ("no Redis", 1)]


def test_a_program_that_is_missing_is_named_with_what_installs_it():
    nothing = external.External("Thing", lambda: None, "pip install thing")
    assert nothing.missing == "no Thing found: pip install thing"
    with pytest.raises((pytest.fail.Exception, pytest.skip.Exception), match="pip install thing"):
        nothing.require()


def test_tests_of_one_file_run_in_one_process(request):
    has_others = "PYTEST_XDIST_WORKER" in os.environ
    assert request.node.nodeid.endswith("@test_tiers.py") or not has_others
