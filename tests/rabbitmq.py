"""A private RabbitMQ server for tests: a node of its own on loopback, with its own port mapper."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from kombu import Connection

from tests.ports import free_port

START_UP_S = 120
STOP_S = 60
FOLDERS = ("/usr/lib/rabbitmq/bin", "/usr/local/sbin", "/opt/rabbitmq/sbin")
PROGRAM = "rabbitmq-server"
"""The program itself: what Debian has on the PATH changes the user."""


def find_program() -> Path | None:
    """Return the server, or None where there is none."""
    found = (Path(folder) / PROGRAM for folder in FOLDERS)
    return next((path for path in found if path.exists() and shutil.which("epmd")), None)


class RabbitServer:
    """One node; its queues outlive `kill` and `start`."""

    def __init__(self, **config: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="factory-rabbit-"))
        self._ports = {name: free_port() for name in ("amqp", "names", "nodes")}
        self._processes: list[subprocess.Popen[bytes]] = []
        lines = {"listeners.tcp.1": f"127.0.0.1:{self._ports['amqp']}", **config}
        text = "".join(f"{key} = {value}\n" for key, value in lines.items())
        (self.folder / "rabbitmq.conf").write_text(text)

    @property
    def version(self) -> tuple[int, ...]:
        """Return which RabbitMQ it is."""
        return tuple(int(part) for part in self.control("version").strip().split("."))

    @property
    def _log(self) -> Path:
        return self.folder / "out"

    @property
    def url(self) -> str:
        """Return what Celery connects to."""
        return f"amqp://guest:guest@127.0.0.1:{self._ports['amqp']}//"

    def start(self) -> None:
        """Return once it answers."""
        try:
            self._spawn(shutil.which("epmd") or "epmd")
            server = self._spawn(find_program() or PROGRAM)
            deadline = time.monotonic() + START_UP_S
            while not self._answers():
                assert server.poll() is None, self._log.read_text(errors="replace")
                assert time.monotonic() < deadline, self._log.read_text(errors="replace")
                time.sleep(0.2)
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        for process in self._processes:
            self._signal(process, signal.SIGKILL)
            process.wait(STOP_S)
        self._processes = []

    def freeze(self) -> None:
        """Let it answer nothing more, until `thaw`."""
        self._signal(self._processes[-1], signal.SIGSTOP)

    def thaw(self) -> None:
        """Resume it."""
        self._signal(self._processes[-1], signal.SIGCONT)

    def remove(self) -> None:
        """End it and delete what it kept."""
        self.kill()
        shutil.rmtree(self.folder)

    def control(self, *words: str) -> str:
        """Return what `rabbitmqctl` says."""
        program = (find_program() or Path(PROGRAM)).with_name("rabbitmqctl")
        return subprocess.run(
            [program, "--quiet", *words],
            env=self._environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    @property
    def _environment(self) -> dict[str, str]:
        return os.environ | {
            "HOME": str(self.folder),  # of the cookie that its parts know each other by
            "ERL_EPMD_PORT": str(self._ports["names"]),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": "factory@localhost",
            "RABBITMQ_DIST_PORT": str(self._ports["nodes"]),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "kept"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        }

    def _spawn(self, program: Path | str) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [program],
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # the program is a script that starts another
            )
        self._processes.append(process)
        return process

    @staticmethod
    def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)

    def _answers(self) -> bool:
        try:
            with Connection(self.url, connect_timeout=2) as connection:
                connection.connect()
        except OSError:
            return False
        return True
