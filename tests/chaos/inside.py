"""Changes inside the factory's processes for this suite: cheap families, faults, mutants.

The processes are the real ones (`factory run`, `factory worker`, their spawned children). Python
imports `site/sitecustomize.py` in each of them, which calls `install`; modules are changed right
after their import. Commands are passed as files, so that a process can be hit at any time while it
runs.
"""

import errno
import importlib.abc
import importlib.util
import json
import os
import signal
import sys
from pathlib import Path

FOLDER_VARIABLE = "CHAOS_FOLDER"
MUTANT_VARIABLE = "CHAOS_MUTANT"
BOOT_VARIABLE = "CHAOS_BOOT"
"""File with the id of another boot: the worker seems to be on another machine of the same name."""
MISSING_S = 5.0
ARMED, STRUCK, TRIPLING = "armed", "struck", "tripling"

FAMILIES = Path(__file__).with_name("families.py")
STAND_INS = (
    *(
        "chatgenimage.workers.stable_diffusion",
        "chatgenimage.workers.instruct_pix2pix",
        "chatgenimage.workers.blip",
    ),
    *(
        "chatgenimage.workers.grounding_dino",
        "chatgenimage.workers.sam",
        "chatgenimage.workers.open_clip_encoder",
    ),
    *("skimage.metrics", "imagehash"),
)


def install():
    """Replace the families, and change modules after their import."""
    sys.meta_path.insert(0, _Finder(Path(os.environ[FOLDER_VARIABLE])))


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, folder):
        self._changes = {
            "chatgenimage.db.failpoints": lambda module: module.arm(Strikes(folder)),
            "chatgenimage.factory.processes.consumption": hear_sooner,
            "chatgenimage.factory.processes.worker_identity": live_elsewhere,
            "kombu.transport.redis": lambda module: send_thrice(module, folder / TRIPLING),
            **MUTANTS[os.environ.get(MUTANT_VARIABLE)],
        }

    def find_spec(self, name, _path=None, _target=None):
        if name in STAND_INS:
            return importlib.util.spec_from_file_location(name, FAMILIES)
        change = self._changes.pop(name, None)
        if change is None:
            return None
        spec = importlib.util.find_spec(name)
        spec.loader = _Changed(spec.loader, change)
        return spec


class _Changed(importlib.abc.Loader):
    def __init__(self, loader, change):
        self._loader = loader
        self._change = change

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        self._loader.exec_module(module)
        self._change(module)


class Strikes:
    """Hits the first process that reaches an armed failpoint, once, and records its id."""

    def __init__(self, folder):
        self._armed = folder / ARMED
        self._struck = folder / STRUCK

    def __call__(self, point):
        step, batch_id = _work_in_hand()
        for name in (f"{point}.{step}", str(point)):
            taken = self._struck / f"{name}.taken"
            try:
                (self._armed / name).rename(taken)
            except FileNotFoundError:
                continue
            told = {"step": step, "batch_id": batch_id, "pid": os.getpid()}
            action = taken.read_text()
            taken.write_text(json.dumps(told))
            taken.rename(self._struck / f"{name}.json")
            ACTIONS[action]()


def _work_in_hand():
    from celery import current_task

    return (current_task.name, current_task.request.args[0]) if current_task else (None, None)


def kill_self():
    os.kill(os.getpid(), signal.SIGKILL)


def kill_worker():
    """Kill the whole worker; called in a child, it kills the main process first."""
    from billiard.process import current_process

    if current_process().name != "MainProcess":
        os.kill(os.getppid(), signal.SIGKILL)
    kill_self()


def disk_full():
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def freeze_self():
    os.kill(os.getpid(), signal.SIGSTOP)


ACTIONS = {
    "kill_self": kill_self,
    "freeze_self": freeze_self,
    "kill_worker": kill_worker,
    "disk_full": disk_full,
}


def send_thrice(transport, switch):
    """Put every message into its queue three times while the switch file exists."""
    put = transport.Channel._put

    def put_thrice(self, queue, message, **kwargs):
        for _ in range(3 if switch.exists() else 1):
            put(self, queue, message, **kwargs)

    transport.Channel._put = put_thrice


def hear_sooner(consumption):
    """Let a worker notice within seconds that it gets no messages."""
    consumption.MISSING_S = MISSING_S


def live_elsewhere(worker_identity):
    """Give this process the boot id of another machine, if there is one for it."""
    if BOOT_VARIABLE in os.environ:
        worker_identity.BOOT_ID = Path(os.environ[BOOT_VARIABLE])


def without_sweeper(dispatching):
    """Disable the sweep: work of dead workers and lost messages are never queued again."""
    dispatching.sweep = lambda _session, **_: 0


def without_fence(delivery):
    """Disable the fence: a worker that lost its lease continues as if it had it."""
    delivery.fence = lambda _session, _claim: True


MUTANTS = {
    None: {},
    "no_sweeper": {"chatgenimage.db.dispatching": without_sweeper},
    "no_fence": {"chatgenimage.db.delivery": without_fence},
}
