"""Real worker processes whose broker is silent, forgetful or refuses, and whose clocks differ."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

import pytest
import redis
from sqlalchemy import select

from chatgenimage.db.models import Item, Step
from chatgenimage.db.states import ItemState, StepState
from chatgenimage.factory.broker.embedded_redis import PID_FILE, EmbeddedBroker, find_server
from tests.factory.sleeping import WAIT
from tests.factory.sleeping_runs import (
    PATIENCE_S,
    ROOT,
    assert_whole,
    count_items,
    has_claimed,
    is_done,
    sleep,
    submit_run,
    wait_for,
    worker,
)
from tests.foreign import FOREIGN
from tests.proxy import SwallowingProxy
from tests.wall_clock import COMPILER, WallClock

pytestmark = pytest.mark.processes

SIGTERM_S = 90
"""The bound that docs/deployment.md states, for a server that is silent."""


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
        wait_for(lambda: answers(socket_path))
        yield
    finally:
        server.kill()
        server.wait()
        socket_path.unlink()


def answers(socket_path):
    with suppress(redis.ConnectionError), redis.Redis(unix_socket_path=str(socket_path)) as client:
        return client.ping()
    return False


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
    sleep(place, 3)
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
    sleep(place, WAIT)
    log = tmp_path / "log"
    ahead = WallClock(tmp_path, 600.0).environment
    run_id = submit_run(place, settings)
    with worker(settings, tmp_path) as one, worker(settings, tmp_path, **ahead) as other:
        wait_for(lambda: has_claimed(place, one) and has_claimed(place, other))
        sleep(place, 0.2)
        wait_for(lambda: is_done(place, run_id))
    assert_whole(place)
    assert "lease_lost" not in log.read_text()
    with place.sessions() as session:
        assert set(session.scalars(select(Item.attempts))) == {1}
        assert len({owner.partition("/")[0] for owner in session.scalars(select(Step.owner))}) == 2
