"""Check of the device's memory: what each role needs there, and what a worker may use."""

from collections.abc import Callable

from chatgenimage.factory.app import needs_no_device
from chatgenimage.factory.checkpoints.inventory import list_needs
from chatgenimage.factory.checkpoints.memory import ADVICE, GIGABYTE, needed_bytes, needs_of
from chatgenimage.factory.doctor.findings import Finding, Health
from chatgenimage.factory.local_workers import machine
from chatgenimage.factory.settings.model import Settings
from chatgenimage.workers.device import pick_device, refuse_absent, total_memory_bytes
from chatgenimage.workers.errors import DeviceAbsent

NAME = "memory"


def look_at_memory(
    settings: Settings, free_bytes: Callable[[], int | None] = machine.free_memory_bytes
) -> Finding | None:
    """Return the finding about memory; None: no role computes, or the memory is not known.

    Args:
        settings: The profile.
        free_bytes: Returns the free memory of the machine; None: not known.
    """
    roles = [role for role in settings.roles if not needs_no_device(settings, [role])]
    if not roles:
        return None
    try:
        device = pick_device(settings.device)
        refuse_absent(device)
    except (ImportError, DeviceAbsent):  # the finding "device" says it
        return None
    available, place = _available(settings, device, free_bytes)
    if available is None:
        return None
    needs = list_needs(settings)
    sums = {role: needed_bytes(needs_of(needs, [role])) for role in roles}
    return judge_memory(sums, needed_bytes(needs), available, place)


def judge_memory(
    sums: dict[str, int], together_bytes: int, available_bytes: int, place: str
) -> Finding:
    """Return the finding about the memory that workers need.

    Args:
        sums: Bytes of a worker of each role, with one image.
        together_bytes: Bytes of one worker for all roles.
        available_bytes: Bytes that one worker may use.
        place: What they are, e.g. "0.5 of cuda:0".
    """

    def judge(needed: int) -> str:
        """Return the gigabytes of a worker, and whether they fit."""
        return (
            f"{needed / GIGABYTE:.1f} GB {'fits' if needed <= available_bytes else 'does not fit'}"
        )

    each = ", ".join(f"{role} {judge(needed)}" for role, needed in sums.items())
    text = (
        f"{available_bytes / GIGABYTE:.1f} GB ({place}) for a worker; calculated, with one image: "
        f"{each}; all roles in one worker {judge(together_bytes)}"
    )
    if all(needed <= available_bytes for needed in sums.values()):
        return Finding(NAME, Health.OK, text)
    return Finding(NAME, Health.WARNING, f"{text}: {ADVICE.rstrip('.')}")


def _available(
    settings: Settings, device: str, free_bytes: Callable[[], int | None]
) -> tuple[int | None, str]:
    if not device.startswith("cuda"):
        return free_bytes(), "free memory of this machine"
    share = settings.device_memory_share
    whole = total_memory_bytes(device)
    return int(share * whole), f"{share:g} of {device}'s {whole / GIGABYTE:.1f} GB"
