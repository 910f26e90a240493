"""Memory of a device: what the models of a worker need there, calculated from published sizes."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from chatgenimage.factory.app import needs_no_device
from chatgenimage.factory.checkpoints.inventory import ModelRequirement, list_needs
from chatgenimage.factory.settings.model import Settings
from chatgenimage.workers.device import pick_device, refuse_absent, total_memory_bytes

log = structlog.get_logger()

GIGABYTE = 10**9
ADVICE = (
    "raise device_memory_share, give the role a card of its own, or set `dtype: auto`, "
    "`offload: model` or smaller models in the profile (`factory models list`)."
)


def needed_bytes(needs: Sequence[ModelRequirement]) -> int:
    """Return the device memory of one process that loads these models, for one image at a time.

    What is not known counts as 0; the driver's own memory of a process comes on top.
    """
    resident = sum(need.device_bytes or 0 for need in needs if not need.is_offloaded)
    return resident + max(map(_working_bytes, needs), default=0)


def needs_of(needs: Sequence[ModelRequirement], roles: Sequence[str]) -> list[ModelRequirement]:
    """Return the models that one worker of these roles loads."""
    return [need for need in needs if set(need.roles) & set(roles)]


def warn_if_short(settings: Settings, roles: Sequence[str]) -> None:
    """Log a warning if the models of these roles do not fit into this worker's share of the GPU.

    Raises:
        DeviceAbsent: If the device does not exist.
    """
    found = _measure(settings, roles)
    if found is not None and found.needed > found.available:
        log.warning(
            "memory_short",
            needed_gb=round(found.needed / GIGABYTE, 1),
            available_gb=round(found.available / GIGABYTE, 1),
            advice=f"The models and one image need more memory than this worker may use: {ADVICE}",
        )


def describe_shortage(settings: Settings, roles: Sequence[str]) -> str | None:
    """Return a sentence if the models of one worker of these roles do not fit into the GPU.

    Raises:
        DeviceAbsent: If the device does not exist.
    """
    found = _measure(settings, roles)
    if found is None or found.needed <= found.available:
        return None
    return (
        f"The models and one image need {found.needed / GIGABYTE:.1f} GB of the GPU in one worker "
        f"(calculated), and it has {found.available / GIGABYTE:.1f} GB: {ADVICE}"
    )


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """Bytes on a GPU: what one worker needs (calculated), and what it may use."""

    needed: int
    available: int


def _measure(settings: Settings, roles: Sequence[str]) -> DeviceMemory | None:
    """Return the memory of a worker of these roles; None: they compute on no GPU."""
    if needs_no_device(settings, roles) or settings.device in {"cpu", "mps"}:
        return None
    device = pick_device(settings.device)
    if not device.startswith("cuda"):
        return None
    refuse_absent(device)
    needed = needed_bytes(needs_of(list_needs(settings), roles))
    return DeviceMemory(needed, int(settings.device_memory_share * total_memory_bytes(device)))


def _working_bytes(need: ModelRequirement) -> int:
    own = need.device_bytes if need.is_offloaded else 0
    return (own or 0) + (need.work_bytes or 0)
