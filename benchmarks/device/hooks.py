"""Worker hooks of a benchmark's worker: the real ones, with families that sleep."""

import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks.device.families import BUSY_FILE, Device, SleepingLabeller, SleepingPainter
from chatgenimage.db.session import connect
from chatgenimage.factory.image_store import open_images
from chatgenimage.factory.processes import worker_hooks
from chatgenimage.factory.settings.model import Settings
from chatgenimage.factory.settings.run_profile import models_key
from chatgenimage.tasks.resources import Resources

DEVICE_FILE = "device.json"
"""In the data folder: seconds per image by role, and the images' side in pixels."""


def assemble(settings: Settings, roles: Sequence[str], owner: str) -> Resources:
    """Return a worker's resources with a family that sleeps."""
    [role] = roles
    asked = json.loads((settings.data_dir / DEVICE_FILE).read_text(encoding="utf-8"))
    device = Device(asked["image_s"][role], busy_file(settings.data_dir, role))
    labels = role == "labeling"
    family = SleepingLabeller(device) if labels else SleepingPainter(device, asked["side_px"])
    return Resources(
        sessions=connect(
            settings.resolved_database_url(),
            durable=False,
            patience_s=settings.delivery.lease_s,
        ),
        images=open_images(settings),
        families=(family,),
        delivery=settings.delivery,
        owner=owner,
        models_key=models_key(settings),
    )


def busy_file(data_dir: Path, role: str) -> Path:
    """Return the file in which a role's device notes its passes."""
    return data_dir / f"{role}-{BUSY_FILE}"


worker_hooks.assemble = assemble  # type: ignore[attr-defined]  # what it imported
