"""Processes that a deployment runs besides workers, in an image without the gpu extra."""

import signal
import sqlite3

import redis

from chatgenimage.db.session import newest_revision
from chatgenimage.factory.broker.embedded_redis import EmbeddedBroker
from tests.deploy.conftest import STOP_S, wait_for


def test_a_dispatcher_fills_the_queue_while_no_worker_runs(slim):
    assert slim.call("submit", "dog", "house", "--per-label", "2").returncode == 0
    silent = slim.call("dispatch", "--probe")
    assert (silent.returncode, "factory dispatch" in silent.stderr) == (1, True)
    dispatcher = slim.start("dispatch")
    wait_for(lambda: slim.call("dispatch", "--probe").returncode == 0)
    socket = str(EmbeddedBroker(slim.data_dir).socket_path)
    with redis.Redis(unix_socket_path=socket) as broker:
        wait_for(lambda: broker.llen("language") == 2)
    dispatcher.send_signal(signal.SIGTERM)
    assert dispatcher.wait(STOP_S) == 0


def test_a_database_is_migrated_and_migrated_again(slim):
    for _ in range(2):
        migrated = slim.call("migrate")
        assert migrated.returncode == 0, migrated.stderr
        assert f"has schema {newest_revision()}" in migrated.stdout
    with sqlite3.connect(slim.data_dir / "factory.sqlite3") as database:
        (found,) = database.execute("SELECT version_num FROM alembic_version").fetchone()
    assert found == newest_revision()


def test_a_language_worker_that_holds_no_model_needs_no_torch(slim):
    worker = slim.start("worker", "language")
    wait_for(lambda: slim.call("worker", "language", "--probe").returncode == 0)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(STOP_S) == 0
