"""Deployment of the factory: real processes with real servers, in one folder."""

import hashlib
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import yaml

from chatgenimage.db.images import ImageStore
from chatgenimage.db.session import connect, engine_of, upgrade
from chatgenimage.factory.broker.embedded_redis import EmbeddedBroker
from tests.chaos.inside import ARMED, BOOT_VARIABLE, FOLDER_VARIABLE, MUTANT_VARIABLE, STRUCK
from tests.chaos.servers import Disk, EmbeddedRedis, ForgetfulRedis, RabbitMq
from tests.wall_clock import WallClock

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PROFILE = HERE / "profile.yaml"
LABELS = ("dog", "house", "car")
FEW_LABELS = LABELS[:2]
PER_LABEL = 8


class Deployment:
    """Processes and their servers; as a context manager, all of them end with it.

    Args:
        folder: A new folder for this deployment only.
        labels: The labels to submit.
        workers: Roles of the workers that a service manager keeps alive; if empty, the work is
            done by `factory run`, which is restarted whenever it ends.
        database_url: None: SQLite in the folder.
        forgetful: Whether the broker is a Redis without persistence instead of the embedded one.
        endpoint_url: URL of the language model; None: the rule book.
        small_disk: Whether images are on a file system that can be filled.
        delivery: Delivery options that override those of `profile.yaml`.
        mutant: A change from `inside.MUTANTS` in every process.
        schema_change: A statement that damages the fresh database.
        reached_by: The database's URL for the processes, if it is not `database_url`.
        rabbit: Whether the broker is a RabbitMQ.
        clones: Whether each worker seems to be on a machine of its own, all of one name.
        clocks: Whether each worker has a wall clock of its own.
    """

    def __init__(
        self,
        folder,
        *,
        labels=LABELS,
        workers=(),
        database_url=None,
        forgetful=False,
        endpoint_url=None,
        small_disk=False,
        delivery=None,
        mutant=None,
        schema_change=None,
        reached_by=None,
        rabbit=False,
        clones=False,
        clocks=False,
    ):
        self.folder = folder
        self.labels = labels
        for name in ("", ARMED, STRUCK, "data"):
            (folder / name).mkdir(exist_ok=True)
        self.data_dir = folder / "data"
        self.database_url = database_url or f"sqlite:///{self.data_dir / 'factory.sqlite3'}"
        self.sessions = connect(self.database_url)
        self.disk = Disk(folder / "disk") if small_disk else None
        images_folder = self.disk.folder / "images" if self.disk else self.data_dir / "images"
        self.images_folder = images_folder
        self.images = ImageStore(str(images_folder))
        self.reached_by = reached_by or self.database_url
        self.broker = _open_broker(self.data_dir, forgetful=forgetful, rabbit=rabbit)
        self.spoiled = {}
        profile = self._write_profile(endpoint_url, delivery or {})
        self._environment = self._make_environment(profile, mutant)
        names = [f"{number}-{role}" for number, role in enumerate(workers)]
        self.clocks = {name: WallClock(_new(folder / f"clock-{name}")) for name in names if clocks}
        self._clones = clones
        self._commands = {
            f"{number}-{role}": ("worker", role, "--until-stdin-closes")
            for number, role in enumerate(workers)
        } or {"run": self._words("run")}
        self._schema_change = schema_change
        self.processes = {}

    def __enter__(self):
        upgrade(self.database_url)
        if self._schema_change:
            with engine_of(self.sessions).begin() as connection:
                connection.exec_driver_sql(self._schema_change)
        return self

    def __exit__(self, *_):
        self.end()
        engine_of(self.sessions).dispose()
        self.broker.remove()
        if self.disk:
            self.disk.remove()

    @property
    def is_one_command(self):
        """Return whether `factory run` submits and does the work."""
        return "run" in self._commands

    def submit(self, kill_after_s=None):
        """Run `factory submit`; return whether it succeeded before it was killed."""
        with self._start("submit", self._words("submit")) as process:
            try:
                return process.wait(kill_after_s) == 0
            except subprocess.TimeoutExpired:
                process.kill()
                return False

    def keep_alive(self):
        """Start the processes that are not running, like a service manager."""
        for name, words in self._commands.items():
            process = self.processes.get(name)
            if process is None or process.poll() is not None:
                _bury(process)
                self.processes[name] = self._start(name, words)

    def worker_pids(self):
        """Return the process ids of the workers' main processes."""
        if not self.is_one_command:
            return [process.pid for process in self.processes.values() if process.poll() is None]
        return [process.pid for process in self.all_processes() if "worker" in told(process)]

    def child_pids(self, worker_pid):
        """Return the processes in which a worker computes."""
        with suppress(psutil.NoSuchProcess):
            family = psutil.Process(worker_pid).children(recursive=True)
            return [child.pid for child in family if "billiard" in " ".join(told(child))]
        return []

    def all_processes(self):
        """Return every live process of the factory; its broker ends by itself."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                ours = process.environ().get(FOLDER_VARIABLE) == str(self.folder)
                if ours and "python" in process.name():
                    found.append(process)
        return found

    def end(self):
        """Kill every process of the deployment."""
        for process in self.all_processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        for process in self.processes.values():
            _bury(process)

    def _start(self, name, words):
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "chatgenimage", *words],
                cwd=ROOT,
                env=self._environment | self._environment_of(name),
                stdin=subprocess.PIPE,  # closed when the test process ends, which ends the worker
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _environment_of(self, name):
        """Return what one process has for itself: its wall clock, the boot of its machine."""
        own = dict(self.clocks[name].environment) if name in self.clocks else {}
        if self._clones:
            boot = self.folder / f"boot-{name}"
            boot.write_text(hashlib.sha256(name.encode()).hexdigest()[:32])
            own[BOOT_VARIABLE] = str(boot)
        return own

    def _words(self, command):
        return (command, *self.labels, "--per-label", str(PER_LABEL), "--seed", "7")

    def _make_environment(self, profile, mutant):
        ours = {
            "PYTHONPATH": f"{HERE / 'site'}{os.pathsep}{ROOT}",
            "PYTHONWARNINGS": "ignore",
            FOLDER_VARIABLE: str(self.folder),
            "FACTORY_PROFILE": str(profile),
            "FACTORY_DATA_DIR": str(self.data_dir),
            "FACTORY_DATABASE_URL": self.reached_by,
            "FACTORY_IMAGE_STORE_URL": str(self.images_folder),
            "NO_PROXY": "127.0.0.1",
        }
        if isinstance(self.broker, ForgetfulRedis):
            ours["REDIS_URL"] = self.broker.url
        if isinstance(self.broker, RabbitMq):
            ours["FACTORY_BROKER_URL"] = self.broker.url
        if mutant:
            ours[MUTANT_VARIABLE] = mutant
        theirs = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")
        return {name: os.environ[name] for name in theirs if name in os.environ} | ours

    def _write_profile(self, endpoint_url, delivery):
        profile = yaml.safe_load(PROFILE.read_text())
        profile["delivery"] |= delivery
        if endpoint_url:
            language = {"family": "openai", "model": "loopback", "base_url": endpoint_url}
            profile["families"]["language"] = language | {"timeout_s": 1.5, "max_retries": 1}
        path = self.folder / "chaos.yaml"
        path.write_text(yaml.safe_dump(profile))
        return path


def _open_broker(data_dir, *, forgetful, rabbit):
    if rabbit:
        return RabbitMq()
    return ForgetfulRedis() if forgetful else EmbeddedRedis(EmbeddedBroker(data_dir))


def _new(folder):
    folder.mkdir()
    return folder


def _bury(process):
    """Close the remains of a process that ended."""
    if process is not None:
        with process:
            pass


def told(process):
    """Return the command line of a process, empty if it is gone."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []
