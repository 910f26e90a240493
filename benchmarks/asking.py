"""Time of a run that waits for a language model: real workers, painters that sleep.

    python -m benchmarks.asking

A server on loopback answers each request after a second. The painters, labellers and scorers are
plug-ins that sleep and need no processor; commands, workers, messages, rows and files are the real
ones. Each set of workers also runs with a server that answers at once: what is left then is the
time of the painters.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from sqlalchemy import func, select

from benchmarks.device import plugin
from benchmarks.page import put_section, to_table
from benchmarks.sleeping import (
    EACH,
    IMAGE_S,
    LANGUAGE,
    MODELS,
    PAINTERS,
    SIDE_PX,
    WORDS,
    LanguageServer,
    notes_path,
    profile,
)
from benchmarks.waiting import wait_for
from chatgenimage.db.models import Candidate, LiveWorker, Run, Step
from chatgenimage.db.session import Sessions
from chatgenimage.db.states import RunState, Verdict
from chatgenimage.factory.database import open_database
from chatgenimage.factory.settings.model import load_settings
from tests.loopback import Loopback

ROOT = Path(__file__).parent.parent
ANSWER_S = 1.0
ONE = ("all",)
TWO = (LANGUAGE, ",".join(MODELS))


@dataclass(frozen=True, slots=True)
class Case:
    """A set of workers and the server that they ask.

    Attributes:
        name: For people.
        workers: Roles of each worker process.
        max_concurrency: Most requests of a worker at the same time.
        answer_s: Seconds until the server answers.
    """

    name: str
    workers: Sequence[str]
    max_concurrency: int = 8
    answer_s: float = ANSWER_S


CASES = (
    Case("a worker per role", EACH),
    Case("a worker per role, `max_concurrency: 16`", EACH, 16),
    Case("a worker per role, `max_concurrency: 32`", EACH, 32),
    Case("a worker per role, two of `language`", (LANGUAGE, *EACH)),
    Case("one worker for all roles", ONE),
    Case("one worker for models, one for `language`", TWO),
)


@dataclass(frozen=True, slots=True)
class Times:
    """One finished run.

    Attributes:
        wall_s: From the start of its first step to the end of its last.
        asking: Share of that time in which at least one request was open.
        open_requests: Open requests, mean over the run.
        painting: Busy share of each painter's device.
        accepted: Number of accepted candidates.
    """

    wall_s: float
    asking: float
    open_requests: float
    painting: dict[str, float]
    accepted: int


def main() -> None:
    """Measure in turns, print, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--case", type=int, choices=range(len(CASES)), action="append")
    parser.add_argument("--page", action="store_true", help="write docs/benchmarks.md")
    options = parser.parse_args()
    cases = [CASES[number] for number in options.case or range(len(CASES))]
    found: dict[Case, list[Times]] = {}
    for _ in range(options.rounds):
        for case in _with_bounds(cases):
            found.setdefault(case, []).append(measure(case))
            print(case, found[case][-1], file=sys.stderr)  # noqa: T201
    text = describe(
        cases, {case: _shortest(times) for case, times in found.items()}, options.rounds
    )
    if options.page:
        put_section("A run that waits for a language model", "python -m benchmarks.asking", text)
    print(text)  # noqa: T201  # its results


def measure(case: Case) -> Times:
    """Run eight labels with the workers of a case."""
    server = LanguageServer(case.answer_s)
    with tempfile.TemporaryDirectory(prefix="asking-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        plugin.install(folder / "site")
        with Loopback(server) as loopback, ExitStack() as workers:
            (folder / "profile.yaml").write_text(
                yaml.safe_dump(profile(folder, loopback.url, case.max_concurrency))
            )
            sessions = open_database(load_settings("micro", data_dir=folder / "data"))
            for number, roles in enumerate(case.workers):
                workers.enter_context(worker(folder, number, roles))
            wait_for(lambda: _ready(sessions) == len(case.workers))
            subprocess.run(  # noqa: S603  # our own command
                _factory(folder, "submit", *WORDS, "--seed", "1"),
                env=_environment(folder),
                check=True,
                stderr=subprocess.DEVNULL,
            )
            wait_for(lambda: _is_done(sessions))
            return read_times(sessions, server.asked, folder)


@contextmanager
def worker(folder: Path, number: int, roles: str) -> Iterator[None]:
    """Run `factory worker` of these roles until the block ends."""
    with (
        (folder / f"worker-{number}.log").open("ab") as log,
        subprocess.Popen(  # noqa: S603  # our own command
            _factory(folder, "worker", roles, "--until-stdin-closes"),
            env=_environment(folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
        ) as process,
    ):
        yield
        process.terminate()


def read_times(sessions: Sessions, asked: Sequence[tuple[float, float]], folder: Path) -> Times:
    """Return the times of the only run."""
    accepted = select(func.count(Candidate.id)).where(Candidate.verdict == Verdict.ACCEPTED)
    with sessions() as session:
        start = session.scalar(select(func.min(Step.started_at))) or 0.0
        end = session.scalar(select(func.max(Step.finished_at))) or 0.0
        count = session.scalar(accepted) or 0
    wall_s = end - start
    passes = {role: _read_passes(notes_path(folder, role)) for role in PAINTERS}
    return Times(
        wall_s,
        _covered_s(asked) / wall_s,
        _sum_s(asked) / wall_s,
        {role: _sum_s(times) / wall_s for role, times in passes.items()},
        count,
    )


def describe(cases: Sequence[Case], found: dict[Case, Times], rounds: int) -> str:
    """Return the section of the page."""
    rows = []
    for case in cases:
        times, bound = found[case], found[_at_once(case)]
        rows.append(
            [
                *(case.name, f"{times.wall_s:.1f} s", f"{bound.wall_s:.1f} s"),
                f"{times.wall_s / bound.wall_s:.2f}",
                *(f"{times.asking:.2f}", f"{times.open_requests:.1f}"),
                *(f"{times.painting[role]:.2f}" for role in PAINTERS),
            ]
        )
    heads = (
        *("workers", "run", "server answers at once", "ratio", "asking", "open"),
        *(f"`{role}` busy" for role in PAINTERS),
    )
    [accepted] = {times.accepted for times in found.values()}
    each = "one round" if rounds == 1 else f"the shortest of {rounds} rounds, in turns"
    return f"""\
A run of {len(WORDS)} labels, eight images each, in batches of eight; two scenes per image, one
object placed in each; {accepted} images are accepted. The server answers each request after
{ANSWER_S:.0f} s, or at once. Painters sleep {IMAGE_S} s per image, `labeling` half of it, and need
no processor; images have {SIDE_PX} pixels. A run is timed from the start of its first step to the
end of its last, all workers being ready; {each}. "Asking" is the share of that
time in which at least one request is open, "open" the mean number of open requests, and "busy" the
share in which a painter computes.

{to_table(heads, rows)}
"""


def _with_bounds(cases: Sequence[Case]) -> list[Case]:
    """Return each case, and once each set of workers with a server that answers at once."""
    return list(dict.fromkeys(one for case in cases for one in (case, _at_once(case))))


def _at_once(case: Case) -> Case:
    return Case("", tuple(dict.fromkeys(case.workers)), answer_s=0.0)


def _shortest(times: Sequence[Times]) -> Times:
    """Return the shortest run: other load of the machine only makes a run longer."""
    return min(times, key=lambda one: one.wall_s)


def _factory(folder: Path, *words: str) -> list[str]:
    place = ("--profile", str(folder / "profile.yaml"), "--data-dir", str(folder / "data"))
    return [sys.executable, "-W", "ignore", "-m", "chatgenimage", *words, *place]


def _environment(folder: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(folder / "site")])}


def _read_passes(path: Path) -> list[tuple[float, float]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [(start, end) for start, end, _ in map(json.loads, lines)]


def _sum_s(times: Sequence[tuple[float, float]]) -> float:
    return sum(end - start for start, end in times)


def _covered_s(times: Sequence[tuple[float, float]]) -> float:
    """Return the seconds in which at least one of the times runs."""
    covered, until = 0.0, 0.0
    for start, end in sorted(times):
        covered += max(0.0, end - max(start, until))
        until = max(until, end)
    return covered


def _ready(sessions: Sessions) -> int:
    ready = select(func.count()).select_from(LiveWorker).where(LiveWorker.is_ready)
    with sessions() as session:
        return session.scalar(ready) or 0


def _is_done(sessions: Sessions) -> bool:
    with sessions() as session:
        return session.scalar(select(Run.state)) == RunState.DONE


if __name__ == "__main__":
    main()
