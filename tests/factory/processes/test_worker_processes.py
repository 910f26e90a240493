"""Real worker processes whose steps only sleep: lost work is recovered automatically."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import redis
import yaml
from sqlalchemy import func, select

from chatgenimage.db.models import Item, Run, Step
from chatgenimage.db.states import ItemState, RunState, StepState
from chatgenimage.factory.broker.embedded_redis import PID_FILE, EmbeddedBroker, find_server
from chatgenimage.factory.processes.liveness import probe
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.settings.profiles import CONFIGS
from chatgenimage.factory.submission.labels import read_labels
from chatgenimage.factory.submission.submitter import submit
from chatgenimage.tasks.item_lifecycle import DIED
from tests.factory.sleeping import HANG, KILL, KILLER, LOSE_DEVICE, PASS_SIZE, SLEEP_FILE
from tests.foreign import FOREIGN
from tests.proxy import SwallowingProxy
from tests.wall_clock import COMPILER, WallClock

pytestmark = pytest.mark.processes

PATIENCE_S = 300
ROOT = Path(__file__).parents[3]
TIME_LIMIT_S = 10
SIGTERM_S = 90
"""The bound that docs/deployment.md states, for a server that is silent."""


@pytest.fixture
def settings(request, place, tmp_path, monkeypatch):
    """The micro profile without rounds; tests may set other delivery options."""
    for name in ("REDIS_URL", "FACTORY_PROFILE", "FACTORY_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    values = yaml.safe_load((CONFIGS / "micro.yaml").read_text(encoding="utf-8"))
    values["chain"] |= {"rounds": 0, "per_label": 4}
    profile = tmp_path / "impatient.yaml"
    values["delivery"] = {"stale_s": 1, **getattr(request, "param", {})}
    profile.write_text(yaml.safe_dump(values), encoding="utf-8")
    return load_settings(profile, data_dir=place.data_dir)


def sleep(place, seconds):
    (place.data_dir / SLEEP_FILE).write_text(str(seconds))


def submit_run(place, settings, labels=("dog", "house")):
    with place.sessions.begin() as session:
        return submit(session, read_labels(labels).requests, settings, seed=0).run_id


@contextmanager
def worker(settings, tmp_path, **environment):
    """Run a worker whose steps sleep; yield its process, with stderr in a file."""
    profile = tmp_path / "impatient.yaml"
    options = ["--profile", profile, "--data-dir", settings.data_dir]
    command = [sys.executable, "-m", "tests.factory.sleeping_worker", *options]
    with (tmp_path / "log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=log, stderr=log, env={**os.environ, **environment}
        )
    try:
        yield process
    finally:
        process.kill()  # its child dies with it
        process.wait()


def wait_for(condition, patience_s=PATIENCE_S):
    """Wait until the condition is true; return the seconds that it took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() < started + patience_s
        time.sleep(0.1)
    return time.monotonic() - started


def count_items(place, state):
    with place.sessions() as session:
        return session.scalar(select(func.count()).where(Item.state == state))


def is_done(place, run_id):
    with place.sessions() as session:
        return session.get_one(Run, run_id).state == RunState.DONE


def assert_whole(place):
    """Check that every item of every step was done exactly once."""
    with place.sessions() as session:
        assert session.scalars(select(Item.state).distinct()).all() == [ItemState.DONE]
        assert session.scalar(select(func.count()).select_from(Step)) == 8
        assert session.scalar(select(func.count()).select_from(Item)) == 32


def model_child(process):
    """Return the child process that holds the claims."""
    return psutil.Process(process.pid).children()[-1]


def test_a_run_finishes_after_its_embedded_broker_loses_everything_and_dies(
    place, settings, tmp_path
):
    sleep(place, 0.05)
    run_id = submit_run(place, settings)
    with worker(settings, tmp_path):
        wait_for(lambda: count_items(place, ItemState.DONE) > 2)
        broker = EmbeddedBroker(settings.data_dir)
        with redis.Redis(unix_socket_path=str(broker.socket_path)) as client:
            client.flushall()
        wait_for(lambda: count_items(place, ItemState.DONE) > 8)
        os.kill(int((broker.folder / PID_FILE).read_text()), signal.SIGKILL)
        wait_for(lambda: is_done(place, run_id))
    assert_whole(place)


@contextmanager
def forgetful_redis(socket_path):
    """An external Redis without persistence."""
    command = [find_server(), "--port", "0", "--unixsocket", socket_path, "--save", ""]
    server = subprocess.Popen([*command, "--appendonly", "no"], stdout=subprocess.DEVNULL)
    try:
        wait_for(socket_path.exists)
        yield
    finally:
        server.kill()
        server.wait()
        socket_path.unlink()


def test_a_broker_that_can_never_serve_ends_the_worker_with_an_error(place, settings, tmp_path):
    socket_path = tmp_path / "redis.sock"
    url = f"redis+socket://{socket_path}?virtual_host=0"
    with forgetful_redis(socket_path), redis.Redis(unix_socket_path=str(socket_path)) as client:
        client.set("language", "a key of another type under the name of a queue")
        with worker(settings, tmp_path, REDIS_URL=url) as process:
            assert process.wait(PATIENCE_S) == 1
    assert "cannot recover from" in (tmp_path / "log").read_text()


@pytest.mark.slow
def test_a_worker_obeys_sigterm_though_its_redis_is_silent(place, settings, tmp_path):
    sleep(place, 1)
    submit_run(place, settings)
    (tmp_path / "own").mkdir()
    url = f"redis+socket://{tmp_path / 'own' / 'redis.sock'}?virtual_host=0"
    with forgetful_redis(tmp_path / "redis.sock"):
        proxy = SwallowingProxy(tmp_path, tmp_path / "own", "redis.sock")
        with worker(settings, tmp_path, REDIS_URL=url) as process:
            wait_for(lambda: count_items(place, ItemState.DONE) > 1)
            proxy.swallow()
            process.terminate()
            started = time.monotonic()
            assert process.wait(PATIENCE_S) in {0, 1}
            assert time.monotonic() - started < SIGTERM_S
        proxy.stop()
    with place.sessions() as session:
        assert StepState.RUNNING not in set(session.scalars(select(Step.state)))


def test_a_redis_that_becomes_a_replica_ends_the_worker_with_an_error(place, settings, tmp_path):
    sleep(place, 0.2)
    socket_path = tmp_path / "redis.sock"
    url = f"redis+socket://{socket_path}?virtual_host=0"
    submit_run(place, settings)
    with (
        forgetful_redis(socket_path),
        redis.Redis(unix_socket_path=str(socket_path)) as client,
        worker(settings, tmp_path, REDIS_URL=url) as process,
    ):
        wait_for(lambda: count_items(place, ItemState.DONE) > 2)
        client.replicaof("127.0.0.1", "1")  # of a server that does not exist: read-only from now on
        assert process.wait(PATIENCE_S) == 1
    log = (tmp_path / "log").read_text()
    assert "read only replica" in log
    assert "the error above says" in log or "the last error above says" in log


def test_factory_run_says_that_its_broker_cannot_serve(tmp_path, monkeypatch):
    socket_path = tmp_path / "redis.sock"
    monkeypatch.setenv("REDIS_URL", f"redis+socket://{socket_path}?virtual_host=0")
    command = [sys.executable, "-m", "chatgenimage", "run", "dog", "--per-label", "1"]
    with forgetful_redis(socket_path), redis.Redis(unix_socket_path=str(socket_path)) as client:
        client.set("language", "a key of another type under the name of a queue")
        done = subprocess.run(
            [*command, "--data-dir", tmp_path / "data"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    assert done.returncode == 1, done.stderr
    assert "the worker ended with exit code 1" in done.stderr


def test_messages_of_other_programs_are_dropped_and_the_run_ends(place, settings, tmp_path):
    sleep(place, 0.05)
    socket_path = tmp_path / "redis.sock"
    url = f"redis+socket://{socket_path}?virtual_host=0"
    with (
        forgetful_redis(socket_path),
        redis.Redis(unix_socket_path=str(socket_path)) as client,
        worker(settings, tmp_path, REDIS_URL=url) as process,
    ):
        for queue in ("language", "diffusion"):
            client.lpush(queue, *FOREIGN)
        run_id = submit_run(place, settings)
        wait_for(lambda: is_done(place, run_id) or process.poll() is not None)
        assert client.llen("language") == client.llen("diffusion") == 0
        assert process.poll() is None
    assert_whole(place)
    log = (tmp_path / "log").read_text()
    assert log.count("foreign_message_dropped") >= 2 * 8


@pytest.mark.slow
def test_a_worker_that_could_not_acknowledge_connects_again(place, settings, tmp_path):
    sleep(place, 5)
    run_id = submit_run(place, settings, ["dog"])
    socket_path = tmp_path / "redis.sock"
    url = f"redis+socket://{socket_path}?virtual_host=0"
    with (
        forgetful_redis(socket_path),
        redis.Redis(unix_socket_path=str(socket_path)) as client,
        worker(settings, tmp_path, REDIS_URL=url),
    ):
        wait_for(lambda: client.ping() and count_items(place, ItemState.DONE) > 0)
        client.config_set("timeout", 2)
        client.config_set("maxclients", 1)
        wait_for(lambda: client.ping() and "Couldn't ack" in (tmp_path / "log").read_text())
        client.config_set("timeout", 0)
        client.config_set("maxclients", 1000)
        sleep(place, 0.05)
        wait_for(lambda: is_done(place, run_id), 120)


def test_a_worker_waits_for_redis_and_finishes_a_run_after_redis_restarts_empty(
    place, settings, tmp_path
):
    sleep(place, 0.05)
    run_id = submit_run(place, settings)
    socket_path = tmp_path / "redis.sock"
    with worker(settings, tmp_path, REDIS_URL=f"redis+socket://{socket_path}?virtual_host=0"):
        wait_for(lambda: "Waiting for it" in (tmp_path / "log").read_text())
        with forgetful_redis(socket_path):
            wait_for(lambda: count_items(place, ItemState.DONE) > 2)
        with forgetful_redis(socket_path):
            wait_for(lambda: is_done(place, run_id))
    assert_whole(place)


@pytest.mark.skipif(COMPILER is None, reason="no C compiler")
def test_workers_whose_clocks_differ_by_ten_minutes_lose_no_lease(place, settings, tmp_path):
    sleep(place, 0.2)
    log = tmp_path / "log"
    ahead = WallClock(tmp_path, 600.0).environment
    with worker(settings, tmp_path), worker(settings, tmp_path, **ahead):
        wait_for(lambda: log.read_text().count("worker_ready") == 2)
        run_id = submit_run(place, settings)
        wait_for(lambda: is_done(place, run_id))
    assert_whole(place)
    assert "lease_lost" not in log.read_text()
    with place.sessions() as session:
        assert set(session.scalars(select(Item.attempts))) == {1}
        assert len({owner.partition("/")[0] for owner in session.scalars(select(Step.owner))}) == 2


def test_a_dead_worker_s_step_is_taken_over_at_once_and_a_stopped_one_gives_the_rest_back(
    place, settings, tmp_path
):
    sleep(place, 0.5)
    submit_run(place, settings)
    with worker(settings, tmp_path) as first, worker(settings, tmp_path) as second:
        for process in (first, second):
            wait_for(lambda process=process: _has_claimed(place, process))
        first.kill()
        child = model_child(second)
        assert "spawn_main" in " ".join(child.cmdline())  # a forked child cannot use CUDA
        took_s = wait_for(lambda: not _has_claimed(place, first))
        assert took_s < settings.delivery.lease_s / 3
        second.terminate()
        assert second.wait(PATIENCE_S) == 0
        assert not child.is_running()
    with place.sessions() as session:
        assert StepState.RUNNING not in set(session.scalars(select(Step.state)))
    assert 0 < count_items(place, ItemState.DONE) < 32
    assert count_items(place, ItemState.QUARANTINED) == 0


def test_a_worker_that_lost_its_device_gives_its_step_back_and_ends_with_an_error(
    place, settings, tmp_path
):
    sleep(place, LOSE_DEVICE)
    run_id = submit_run(place, settings)
    with worker(settings, tmp_path) as process:
        assert process.wait(PATIENCE_S) == 1
    assert "unspecified launch failure" in (tmp_path / "log").read_text()
    assert "worker 'all' stopped after an error" in (tmp_path / "log").read_text().splitlines()[-1]
    with place.sessions() as session:
        assert StepState.RUNNING not in set(session.scalars(select(Step.state)))
        assert set(session.scalars(select(Item.attempts))) == {0}
    sleep(place, 0)
    with worker(settings, tmp_path):
        wait_for(lambda: is_done(place, run_id))
    assert_whole(place)


@pytest.mark.parametrize("settings", [{"max_attempts": 2}], indirect=True, ids=[""])
def test_an_item_that_kills_its_worker_is_quarantined_alone(place, settings, tmp_path):
    sleep(place, KILL)
    run_id = submit_run(place, settings, labels=["dog"])
    with worker(settings, tmp_path, **{PASS_SIZE: "4"}) as process:
        wait_for(lambda: is_done(place, run_id))
        assert process.poll() is None
    with place.sessions() as session:
        made = session.scalars(
            select(Item).join(Item.step).where(Step.name == "generate").order_by(Item.subject_id)
        ).all()
        killers = session.scalars(select(Item).where(Item.state == ItemState.QUARANTINED)).all()
    assert [item.subject_id for item in killers] == [KILLER]
    assert killers[0].error == f"{DIED}: process exited prematurely: signal 9 (SIGKILL)"
    assert "child_lost" in (tmp_path / "log").read_text()
    assert [item.attempts for item in made] == [2, 2, 2, 2]


def _has_claimed(place, process):
    with place.sessions() as session:
        running = select(Step.owner).where(Step.state == StepState.RUNNING)
        return any(f"#{process.pid}/" in owner for owner in session.scalars(running))


SHORT = pytest.mark.parametrize(
    "settings", [{"max_attempts": 1, "time_limit_s": TIME_LIMIT_S}], indirect=True, ids=[""]
)


@pytest.mark.slow
@SHORT
def test_a_pass_that_takes_too_long_is_given_up_before_its_worker_s_child_must_be_killed(
    place, settings, tmp_path
):
    sleep(place, 3600)
    submit_run(place, settings, labels=["dog"])
    with worker(settings, tmp_path) as process:
        wait_for(lambda: count_items(place, ItemState.READY) == 4)
        child = model_child(process)
        wait_for(lambda: count_items(place, ItemState.QUARANTINED))
        sleep(place, 0)
        wait_for(lambda: count_items(place, ItemState.DONE) >= 3)
        assert child.is_running()
    with place.sessions() as session:
        given_up = session.scalars(
            select(Item).where(Item.error.is_not(None)).order_by(Item.id)
        ).first()
        assert "took too long for delivery.time_limit_s" in given_up.error


@pytest.mark.slow
@SHORT
def test_a_hanging_pass_ends_at_its_time_limit_and_another_child_continues(
    place, settings, tmp_path
):
    sleep(place, HANG)
    run_id = submit_run(place, settings, labels=["dog"])
    with worker(settings, tmp_path) as process:
        wait_for(lambda: count_items(place, ItemState.READY) == 4)
        hung = model_child(process)
        hung_s = wait_for(lambda: probe_while(settings, not hung.is_running()))
        assert hung_s > TIME_LIMIT_S / 2
        sleep(place, 0)
        wait_for(lambda: is_done(place, run_id))
        assert model_child(process) != hung
    assert count_items(place, ItemState.QUARANTINED) == 0


def probe_while(settings, condition):
    """Return the condition; checks the worker's heartbeat while it hangs."""
    return probe(settings, "all") < PATIENCE_S and condition
