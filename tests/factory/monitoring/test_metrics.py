"""`factory metrics`: metrics of a known database, parsed by Prometheus' own parser."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event, select, text, update

from chatgenimage.db.models import Batch, Candidate, Item, LlmCall, Run
from chatgenimage.db.session import connect, engine_of
from chatgenimage.db.states import ItemState, RunState, StepState
from chatgenimage.factory.monitoring.metrics import (
    MOST_LABELS,
    MOST_RUNS,
    MOST_SHARE,
    OTHERS,
    FactoryCollector,
)
from tests import rows

PATIENCE_S = 240
TOKEN = "sixteen letters!"
CHAIN = ("brainstorm", "generate", "label")
NASTY = 'a "dog"\\\nof <b>mine</b> 🐶'


@pytest.fixture(params=["sqlite", "postgres"])
def known(request):
    """One run: 3 accepted and 1 rejected, its times, a retry, a quarantine, a call, a queue."""
    place = request.getfixturevalue(f"{request.param}_place")
    with place.sessions.begin() as session:
        run = rows.add_run(session, (NASTY,), batches=2, spent=0.5)
        batch = rows.batch_of(session, run)
        rows.add_family(place, session, batch)
        rows.add_candidate(place, session, batch, verdict="rejected", reason="blank")
        brainstorm, generate, label = rows.add_steps(session, batch, CHAIN, done=2)
        generate.queue, generate.finished_at = "diffusion", time.time() - 100
        brainstorm.queue, label.queue = "language", "labeling"
        rows.add_item(session, brainstorm, 1).duration_s = 500.0
        for subject, seconds in ((1, 4.0), (2, 5.0)):
            item = rows.add_item(session, generate, subject)
            item.duration_s, item.gpu_peak_bytes = seconds, subject << 30
        item = rows.add_item(session, generate, 3, state=ItemState.QUARANTINED, error="Boom")
        item.attempts = 4
        session.add(
            LlmCall(
                run_id=run.id,
                step_id=brainstorm.id,
                subject_id=1,
                question="q",
                model="m",
                messages=[],
                answer="a",
                prompt_tokens=30,
                completion_tokens=7,
                duration_s=1.0,
            )
        )
    return place


def exposed(sessions):
    """Return all exposed samples by name and labels."""
    return told_by(FactoryCollector(sessions))


def told_by(collector):
    registry = CollectorRegistry()
    registry.register(collector)
    return parsed(generate_latest(registry).decode())


def parsed(text):
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_numbers_are_those_of_the_rows(known):
    found = exposed(known.sessions)
    candidates = {key[1:]: n for key, n in found.items() if key[0] == "factory_candidates"}
    assert candidates == {  # label, origin, reason, run, verdict
        (NASTY, "generated", "", "1", "accepted"): 1,
        (NASTY, "edited", "", "1", "accepted"): 1,
        (NASTY, "filled", "", "1", "accepted"): 1,
        (NASTY, "generated", "blank", "1", "rejected"): 1,
    }
    assert found["factory_item_seconds_count", "1", "generate"] == 2
    assert found["factory_item_seconds_sum", "1", "generate"] == 9.0
    assert found["factory_gpu_seconds_total", "1"] == 9.0  # not counting the language role's 500
    assert found["factory_accepted_per_gpu_hour", "1"] == pytest.approx(3 / 9 * 3600)
    assert found["factory_retries_total", "1", "generate"] == 3
    assert found["factory_quarantined_items", "1", "generate"] == 1
    assert found["factory_gpu_memory_peak_bytes", "1", "generate"] == 2 << 30
    assert (
        "factory_gpu_memory_peak_bytes",
        "1",
        "brainstorm",
    ) not in found  # this step uses no GPU
    assert found["factory_batches", "1", "waiting"] == 1
    assert found["factory_batches", "1", "in_flight"] == 1
    assert found["factory_llm_tokens_total", "prompt", "1"] == 30
    assert found["factory_llm_tokens_total", "completion", "1"] == 7
    assert found["factory_llm_cost_total", "1"] == 0.5
    assert found["factory_database_up",] == 1


def test_the_items_of_a_run_that_is_done_are_read_once_and_its_verdicts_each_time(known):
    asked = []
    engine = engine_of(known.sessions)
    event.listen(engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    with known.sessions.begin() as session:
        session.execute(update(Run).values(state=RunState.DONE, finished_at=1.0))
    collector = FactoryCollector(known.sessions, fresh_s=0, patience_s=PATIENCE_S)
    first = told_by(collector)
    asked.clear()
    with known.sessions.begin() as session:
        session.execute(update(Candidate).values(verdict="rejected", reason="text_mismatch"))
    time.sleep(first["factory_metrics_reading_seconds",] / MOST_SHARE)
    second = told_by(collector)
    assert not [words for words in asked if "FROM item" in words]
    assert second["factory_item_seconds_sum", "1", "generate"] == 9.0
    assert second["factory_candidates", NASTY, "filled", "text_mismatch", "1", "rejected"] == 1
    with known.sessions.begin() as session:  # the run was retried and is done again
        session.execute(update(Run).values(finished_at=2.0))
        session.execute(update(Item).values(duration_s=1.0))
    time.sleep(second["factory_metrics_reading_seconds",] / MOST_SHARE)
    assert told_by(collector)["factory_item_seconds_sum", "1", "generate"] == 3.0


def test_a_scraper_does_not_wait_for_a_slow_read(postgres_place):
    with postgres_place.sessions.begin() as session:
        rows.add_run(session)
    collector = FactoryCollector(postgres_place.sessions, fresh_s=0, patience_s=0.2)
    assert told_by(collector)["factory_run_info", "1", "active"] == 1
    with postgres_place.sessions.begin() as session:
        session.execute(text("LOCK TABLE run IN ACCESS EXCLUSIVE MODE"))
        time.sleep(1.0)
        old = told_by(collector)
        assert old["factory_run_info", "1", "active"] == 1
        assert old["factory_metrics_age_seconds",] >= 1.0
        session.execute(update(Run).values(state=RunState.PAUSED))
    deadline = time.monotonic() + PATIENCE_S
    while ("factory_run_info", "1", "paused") not in told_by(collector):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_if_the_database_does_not_answer_only_that_is_reported(tmp_path):
    found = exposed(connect(f"postgresql+psycopg://nobody@/none?host={tmp_path}"))
    assert found.pop(("factory_metrics_age_seconds",)) >= 0
    assert found == {("factory_database_up",): 0}


def test_a_queue_s_age_counts_from_the_end_of_the_previous_step(known):
    found = exposed(known.sessions)
    assert found["factory_queue_steps", "labeling", "waiting"] == 1
    assert found["factory_queue_steps", "diffusion", "waiting"] == 0
    assert 100 <= found["factory_queue_age_seconds", "labeling"] < 100 + PATIENCE_S
    with known.sessions.begin() as session:
        step = rows.batches_of(session, session.get_one(Batch, 1).run)[0]
        for each in session.scalars(select(rows.Step).where(rows.Step.batch_id == step.id)):
            each.state = StepState.RUNNING if each.name == "label" else each.state
    found = exposed(known.sessions)
    assert found["factory_queue_steps", "labeling", "running"] == 1
    assert found["factory_queue_age_seconds", "labeling"] == 0


def test_runs_and_labels_are_limited_and_active_runs_come_first(place):
    with place.sessions.begin() as session:
        rows.add_run(session)
        for _ in range(MOST_RUNS + 5):
            rows.add_run(session, state="done")
        run = rows.add_run(session, [f"word{number}" for number in range(MOST_LABELS + 3)])
        for batch in rows.batches_of(session, run):
            rows.add_candidate(place, session, batch)
    found = exposed(place.sessions)
    runs = {key[1] for key in found if key[0] == "factory_run_info"}
    assert len(runs) == MOST_RUNS
    assert "1" in runs
    labels = [key[1] for key in found if key[0] == "factory_candidates"]
    assert len(labels) == MOST_LABELS + 1
    assert found["factory_candidates", OTHERS, "generated", "", str(run.id), "accepted"] == 3


def start(place, *arguments, **environment):
    """Start the command; return the process and its URL."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` ignores it
    process = subprocess.Popen(
        [sys.executable, "-m", "chatgenimage", "metrics", "--port", "0", *arguments],
        env=os.environ | {"FACTORY_DATA_DIR": str(place.data_dir)} | environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    line = process.stderr.readline()
    return process, re.search(r":(\d+/metrics)", line).group(1)


def scrape(url, **headers):
    request = urllib.request.Request(f"http://127.0.0.1:{url}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.processes
def test_a_real_process_is_scraped_and_ends_quietly(place):
    with place.sessions.begin() as session:
        rows.add_run(session)
    process, url = start(place)
    status, text = scrape(url)
    assert status == 200
    assert parsed(text)["factory_batches", "1", "waiting"] == 1
    assert scrape(url, Host="elsewhere.example")[0] == 400
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=PATIENCE_S)[1] == ""
    assert process.returncode == 0


@pytest.mark.processes
def test_other_machines_need_the_token(place):
    process, url = start(place, "--host", "0.0.0.0", FACTORY_METRICS_TOKEN=TOKEN)  # noqa: S104
    try:
        assert scrape(url)[0] == 401
        assert scrape(url, Authorization="Bearer wrong")[0] == 401
        assert scrape(url, Authorization=f"Bearer {TOKEN}")[0] == 200
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE_S)


def refused(place, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "chatgenimage", "metrics", *arguments],
        env=os.environ | {"FACTORY_DATA_DIR": str(place.data_dir)},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.processes
def test_it_is_not_opened_to_others_without_a_token(place):
    assert "FACTORY_METRICS_TOKEN" in refused(place, "--host", "0.0.0.0")  # noqa: S104


@pytest.mark.processes
def test_a_used_port_is_reported(place):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert f"127.0.0.1:{port} is used" in refused(place, "--port", str(port))
