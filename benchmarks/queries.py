"""How quickly a million candidates answer: `python -m benchmarks.queries` writes it down.

The place is docs/benchmarks.md.

Runs, labels and families of five are made by the database itself, on SQLite and, where its programs
are found, on PostgreSQL. Each question is asked as `factory query` asks it: a page of 50 candidates
with their annotations and scores, and the count that it prints below, which ends at 1,000. Then the
SQL of docs/querying.md is asked as it stands there.
"""
# ruff: noqa: S608, T201  (the SQL is all ours; results go to stdout)

import argparse
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from benchmarks.page import PAGE, put_section, to_table
from chatgenimage.db.models import Run
from chatgenimage.db.queries import (
    CandidateFilter,
    count_candidates,
    get_candidate,
    iter_candidates,
)
from chatgenimage.db.run_progress import overview
from chatgenimage.db.runs import count_funnel_by_label, list_runs
from chatgenimage.db.session import Sessions, connect, engine_of, reading, upgrade
from chatgenimage.db.states import Origin, RunState, Verdict
from chatgenimage.factory.cli.query import COUNTED_ROWS
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.settings.run_profile import dump_profile
from tests.postgres import PostgresServer, find_binaries

CANDIDATES = 1_000_000
PER_RUN = 100_000
ROWS_EACH = {"label": 1_000, "batch": 40, "prompt": 5, "candidate": 1, "annotation": 1, "score": 1}
"""Candidates per row; annotations and scores are made several per candidate."""

PAGE_ROWS = 50
TIMES = 21
TOLD = """\
{candidates:,} candidates in runs of 100,000, a hundred labels each, with 2 million objects and
4.2 million scores; PostgreSQL as it is installed, on a socket. The first questions are those of
`factory query`: a page of {page} with all that belongs to them, and a count that ends at {most:,}.
Below, the SQL of [querying](querying.md) as it stands there. Wall-clock time, the best of {times}
tries; on a busy machine the others are longer.

"""

NUMBERS = """
    WITH RECURSIVE n(i) AS (
        SELECT CAST(0 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < :last
    )"""
NOISE = "(i * 7919 % {prime}) * 1.0 / {prime}"
"""Evenly spread over [0, 1), the same everywhere; with another prime, independent of it."""
IS_DUPLICATE = "i % 100 = 99"

PARENT = "CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN i ELSE i - 1 END"
ROOT = "'b' || ((i % 1000) / 40) || '/g' || ((i % 40) / 5)"
PLACE = "'place' || ((i * 31) % 40)"
FILL = {
    "label": """
        INSERT INTO label (id, run_id, name, mode, per_label)
        SELECT i + 1, i / 100 + 1, CASE i % 100 WHEN 1 THEN 'dog' ELSE 'label' || (i % 100) END,
               'scene', 200
        FROM n""",
    "batch": """
        INSERT INTO batch (id, run_id, label_id, "index", size, state, priority)
        SELECT i + 1, i / 2500 + 1, i / 25 + 1, i % 25, 8, 'done', 0 FROM n""",
    "prompt": """
        INSERT INTO prompt (id, batch_id, "index", text, is_repeat)
        SELECT i + 1, i / 8 + 1, i % 8, 'a prompt of twelve words or so', i % 20 = 0 FROM n""",
    "candidate": f"""
        INSERT INTO candidate (id, run_id, label_id, batch_id, key, parent_id, origin, round, seed,
                               prompt_text, model, sha256, width_px, height_px, caption,
                               object_count, verdict, reason, duplicate_of_id, created_at)
        SELECT i + 1, i / 100000 + 1, i / 1000 + 1, i / 40 + 1,
               {ROOT} || CASE i % 5 WHEN 0 THEN '' WHEN 1 THEN '/e0' WHEN 2 THEN '/e1'
                         WHEN 3 THEN '/e0/f0' ELSE '/e1/f0' END,
               {PARENT},
               CASE WHEN i % 5 = 0 THEN 'generated' WHEN i % 5 < 3 THEN 'edited' ELSE 'filled' END,
               CASE WHEN i % 5 = 0 THEN 0 ELSE 1 END, i, 'a prompt of twelve words or so', '{{}}',
               'a' || i, 64, 64,
               'a label' || (i / 1000 % 100) || ' in ' || {PLACE}
                   || CASE WHEN i % 50000 = 5 THEN ' with a unicorn' ELSE '' END,
               CASE WHEN i % 20000 = 3 THEN 9 ELSE 1 + i * 7919 % 3 END,
               CASE WHEN {IS_DUPLICATE} OR i % 30000 = 7 OR {NOISE.format(prime=1009)} >= 0.5
                    THEN 'rejected' ELSE 'accepted' END,
               CASE WHEN {IS_DUPLICATE} THEN 'near_duplicate'
                    WHEN i % 30000 = 7 THEN 'not_measured'
                    WHEN {NOISE.format(prime=1009)} < 0.5 THEN NULL
                    WHEN {NOISE.format(prime=1009)} < 0.7 THEN 'text_mismatch'
                    WHEN {NOISE.format(prime=1009)} < 0.9 THEN 'objects_lost' ELSE 'ranked_out' END,
               CASE WHEN {IS_DUPLICATE} THEN i - i / 100 % 4 END,
               0
        FROM n""",
    "annotation": """
        INSERT INTO annotation (candidate_id, "index", label, confidence, x_min, y_min, x_max,
                                y_max, rle, area_px)
        SELECT c.id, k.i,
               CASE WHEN k.i > 0 THEN 'thing' || ((c.id * 13 + k.i) % 40)
                    WHEN c.id % 40000 = 9 THEN 'unicorn'
                    ELSE 'label' || ((c.label_id - 1) % 100) END,
               0.5, 1, 1, 20, 20, '{"size": [64, 64], "counts": "aB3cD4eF5gH6iJ7kL8mN9oP0"}', 200
        FROM candidate c JOIN n k ON k.i < c.object_count""",
    "score": f"""
        INSERT INTO score (candidate_id, name, value, threshold, passed)
        SELECT i + 1, s.name, {NOISE.format(prime="s.prime")}, 0.5,
               {NOISE.format(prime="s.prime")} >= 0.5
        FROM n CROSS JOIN (
            SELECT 'clip_similarity' AS name, 1013 AS prime UNION ALL SELECT 'ssim', 1019
            UNION ALL SELECT 'psnr_db', 1021 UNION ALL SELECT 'objects_kept', 1031
            UNION ALL SELECT 'fill_iou', 1033) s
        WHERE i % 5 > 0 OR s.prime = 1013""",
}


def questions() -> dict[str, CandidateFilter]:
    """Return what people ask, by how they would put it."""
    return {
        "the first page": CandidateFilter(),
        "one run": CandidateFilter(run_id=7),
        "one label": CandidateFilter(labels=("label42",)),
        "run, verdict": CandidateFilter(run_id=7, verdict=Verdict.ACCEPTED),
        "a common reason": CandidateFilter(reason="text_mismatch"),
        "a rare reason": CandidateFilter(reason="not_measured"),
        "origin, round": CandidateFilter(origin=Origin.FILLED, round=1),
        "a common caption word": CandidateFilter(caption_words=("place7",)),
        "a rare caption word": CandidateFilter(caption_words=("unicorn",)),
        "a common object": CandidateFilter(objects=("thing3",)),
        "a rare object": CandidateFilter(objects=("unicorn",)),
        "two objects or more": CandidateFilter(object_count=(2, None)),
        "nine objects": CandidateFilter(object_count=(9, None)),
        "a wide score range": CandidateFilter(scores={"clip_similarity": (0.4, 0.9)}),
        "what repeats a candidate": CandidateFilter(duplicates_of=400_000),
        "a narrow score range": CandidateFilter(scores={"clip_similarity": (0.9985, None)}),
        "run, label, verdict, origin, object, score": CandidateFilter(
            run_id=7,
            labels=("label42",),
            verdict=Verdict.ACCEPTED,
            origin=Origin.FILLED,
            objects=("thing3",),
            scores={"ssim": (0.3, None)},
        ),
    }


def other_questions() -> dict[str, Callable[[Session], object]]:
    """Return the questions that are no page of candidates."""
    return {
        "the story of one candidate": lambda session: get_candidate(session, 555_555),
        "the list of runs": list_runs,
        "the funnel of a run, by label": lambda session: count_funnel_by_label(session, 7),
        "the overview of a run": lambda session: overview(session, 7),
        **{f"SQL: {name}": partial(ask_sql, sql=sql) for name, sql in documented_sql().items()},
    }


def documented_sql() -> dict[str, str]:
    """Return the SQL of docs/querying.md by the comment above each statement."""
    text = (PAGE.parent / "querying.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    statements = [each.strip() for block in blocks for each in block.split(";") if each.strip()]
    return dict(each.removeprefix("-- ").split("\n", 1) for each in statements)


def ask_sql(session: Session, sql: str) -> None:
    """Ask with the text as it is."""
    session.connection().exec_driver_sql(sql).all()


def fill(sessions: Sessions, candidates: int) -> None:
    """Write runs of 100,000 candidates, with all that belongs to them."""
    profile = dump_profile(load_settings("micro"))
    with sessions.begin() as session:
        session.add_all(
            Run(request_key="k", mode="scene", seed=0, profile=profile, state=RunState.DONE)
            for _ in range(-(-candidates // PER_RUN))
        )
        session.flush()
        for table, per_row in ROWS_EACH.items():
            last = 8 if table == "annotation" else candidates // per_row - 1
            session.execute(text(f"{NUMBERS} {FILL[table]}"), {"last": last})
    if engine_of(sessions).dialect.name == "postgresql":  # its autovacuum would, in a minute
        with engine_of(sessions).connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(
                text("VACUUM ANALYZE")
            )


def measure_all(sessions: Sessions) -> Iterator[tuple[str, float]]:
    """Yield each question and the milliseconds that its answer takes, the best of some tries."""
    for name, wanted in questions().items():
        yield name, measure(sessions, partial(ask, wanted=wanted))
    for name, question in other_questions().items():
        yield name, measure(sessions, question)


def ask(session: Session, wanted: CandidateFilter) -> None:
    """Ask as `factory query` does."""
    list(iter_candidates(session, replace(wanted, limit=PAGE_ROWS)))
    count_candidates(session, replace(wanted, limit=COUNTED_ROWS + 1))


def measure(sessions: Sessions, question: Callable[[Session], object]) -> float:
    """Return the best of some answers in milliseconds, each in a session of its own."""
    times = []
    for _ in range(TIMES):
        with reading(sessions) as session:
            started = time.perf_counter()
            question(session)
            times.append(time.perf_counter() - started)
    return min(times) * 1000


@contextmanager
def databases() -> Iterator[dict[str, str]]:
    """Yield the URLs of empty databases by name; they are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="factory-bench-") as folder, ExitStack() as stack:
        urls = {"SQLite": f"sqlite:///{Path(folder) / 'factory.sqlite3'}"}
        if binaries := find_binaries():
            server = PostgresServer(binaries)
            stack.callback(server.remove)
            stack.callback(server.stop)
            server.start()
            server.execute("CREATE DATABASE million")
            urls["PostgreSQL"] = server.url("million")
        yield urls


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=CANDIDATES)
    candidates = parser.parse_args().candidates
    answers: dict[str, dict[str, float]] = {}
    with databases() as urls:
        for name, url in urls.items():
            upgrade(url)
            sessions = connect(url)
            started = time.perf_counter()
            fill(sessions, candidates)
            duration_s = time.perf_counter() - started
            print(f"{name}: {candidates:,} candidates in {duration_s:.0f} s", flush=True)
            for question, milliseconds in measure_all(sessions):
                answers.setdefault(question, {})[name] = milliseconds
                print(f"  {milliseconds:7.1f} ms  {question}", flush=True)
            engine_of(sessions).dispose()
        rows = [
            (question, *(f"{times[name]:.0f}" for name in urls))
            for question, times in answers.items()
        ]
        table = to_table(["question", *(f"{name}, ms" for name in urls)], rows)
        told = TOLD.format(candidates=candidates, times=TIMES, page=PAGE_ROWS, most=COUNTED_ROWS)
        put_section("Asking a million candidates", "python -m benchmarks.queries", told + table)


if __name__ == "__main__":
    main()
