"""Servers and disk of a deployment, with methods to break them."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import redis

from chatgenimage.factory.broker.embedded_redis import find_server
from chatgenimage.tasks.chain import QUEUE_NAMES
from tests.rabbitmq import RabbitServer

START_UP_S = 120
DISK = "4m"


class ForgetfulRedis:
    """A Redis without persistence: its data are lost when it is killed."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="chaos-redis-"))
        self._socket = self.folder / "s"
        self._process = None
        self.start()

    @property
    def url(self):
        return f"redis+socket://{self._socket}?virtual_host=0"

    def start(self):
        options = {"port": "0", "unixsocket": self._socket, "save": "", "appendonly": "no"}
        words = [str(word) for key, value in options.items() for word in (f"--{key}", value)]
        self._process = subprocess.Popen(
            [find_server(), *words], cwd=self.folder, stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + START_UP_S
        while not answers(self._socket):
            assert time.monotonic() < deadline, "Redis did not start"
            time.sleep(0.02)

    def kill(self):
        """Kill it and wait until the process is gone."""
        self._process.kill()
        self._process.wait()

    def restart_empty(self, after_s):
        self.kill()
        time.sleep(after_s)
        self.start()

    def client(self):
        return client_of(self._socket)

    def remove(self):
        self.kill()
        shutil.rmtree(self.folder)


class EmbeddedRedis:
    """The broker that the factory itself starts and restarts."""

    def __init__(self, broker):
        self._broker = broker

    def restart_empty(self, _after_s):
        """Kill it and delete its data; the next process that needs it starts it again."""
        with suppress(ProcessLookupError, FileNotFoundError):
            pid = int((self._broker.folder / "valkey.pid").read_text())
            kill(pid)
            shutil.rmtree(self._broker.folder / "appendonlydir", ignore_errors=True)

    def client(self):
        return client_of(self._broker.socket_path)

    def remove(self):
        """Do nothing: it ends with its processes."""


class RabbitMq:
    """A RabbitMQ; its queues outlive its death."""

    def __init__(self):
        self._server = RabbitServer()
        self._server.start()
        self.url = self._server.url

    def restart(self):
        """Kill it and start it again."""
        self._server.kill()
        self._server.start()

    def delete_queues(self):
        """Delete every queue with its messages."""
        for queue in QUEUE_NAMES:
            with suppress(subprocess.CalledProcessError):
                self._server.control("delete_queue", queue)

    def freeze(self):
        """Let it answer nothing until `thaw`."""
        self._server.freeze()

    def thaw(self):
        """Let it continue."""
        self._server.thaw()

    def remove(self):
        """End it and delete its data."""
        self._server.remove()


class Disk:
    """A small separate file system that can be filled; needs root."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "none", folder], check=True)

    def fill(self):
        with suppress(OSError), (self.folder / "ballast").open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass

    def free(self):
        (self.folder / "ballast").unlink(missing_ok=True)

    def remove(self):
        subprocess.run(["umount", "--lazy", self.folder], check=True)


def client_of(socket):
    return redis.Redis(unix_socket_path=str(socket), socket_timeout=5)


def answers(socket):
    with suppress(redis.RedisError, OSError):
        return client_of(socket).ping()
    return False


def kill(pid):
    """Kill one process, if it still exists."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
