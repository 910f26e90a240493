"""Liveness of workers: a heartbeat file that the main loop touches, also during steps."""

import hashlib
import time
from pathlib import Path

from chatgenimage.factory.errors import WorkerSilent
from chatgenimage.factory.processes.worker_identity import name_prefix
from chatgenimage.factory.settings.model import Settings

FOLDER = "workers"
SILENT_S = 60.0
"""Celery's main loop touches the file every two seconds while connected to the broker."""


def probe(settings: Settings, role: str) -> float:
    """Return the age in seconds of the last heartbeat of the role on this host.

    Raises:
        WorkerSilent: If there was none in the last `SILENT_S` seconds.
    """
    try:
        age_s = time.time() - pulse_file(settings, role).stat().st_mtime
    except OSError:
        raise WorkerSilent(
            f"no heartbeat from the {role} worker on this host; start one with `factory worker "
            f"{role}` (a dispatcher with `factory dispatch`)."
        ) from None
    if age_s > SILENT_S:
        raise WorkerSilent(
            f"the last heartbeat of {role} on this host was {age_s:.0f} s ago: the process ended, "
            "hangs, or its broker does not answer. See its log and restart it."
        )
    return age_s


def pulse_file(settings: Settings, role: str) -> Path:
    """Return the heartbeat file of a role's workers on this host; hosts may share the folder."""
    name = hashlib.sha256(name_prefix(role).encode()).hexdigest()[:16]
    return settings.data_dir / FOLDER / f"{name}.pulse"
