"""Whether a worker lives: a file that its main loop touches, whatever its steps do."""

import hashlib
import time
from pathlib import Path

from chatgenimage.factory.errors import WorkerSilent
from chatgenimage.factory.processes.worker_identity import place_of
from chatgenimage.factory.settings.model import Settings

FOLDER = "workers"
SILENT_S = 60.0
"""Celery's main loop beats every two seconds while it is connected to the broker."""


def probe(settings: Settings, role: str) -> float:
    """Return how many seconds ago a worker of the role on this machine last beat.

    Raises:
        WorkerSilent: If none did lately.
    """
    try:
        age_s = time.time() - pulse_file(settings, role).stat().st_mtime
    except OSError:
        raise WorkerSilent(
            f"no {role} ever beat here; start it with `factory worker {role}`, a dispatcher with "
            "`factory dispatch`."
        ) from None
    if age_s > SILENT_S:
        raise WorkerSilent(
            f"the {role} here has been silent for {age_s:.0f} s: it is gone, hangs, or its broker "
            "does not answer. See its log; start it again."
        )
    return age_s


def pulse_file(settings: Settings, role: str) -> Path:
    """Return the file of a role's workers on this machine; machines may share the folder."""
    name = hashlib.sha256(place_of(role).encode()).hexdigest()[:16]
    return settings.data_dir / FOLDER / f"{name}.pulse"
