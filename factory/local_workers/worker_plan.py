"""Plan of the worker processes on one machine: how many, and the device and threads of each."""

from collections.abc import Sequence
from dataclasses import dataclass

from chatgenimage.factory.app import ALL_ROLES, asks_servers
from chatgenimage.factory.local_workers.machine import Machine
from chatgenimage.factory.settings.model import Settings
from chatgenimage.workers.weights import local_files
from chatgenimage.workers.weights_config import WeightsConfig

LIBRARIES_BYTES = 1_500_000_000
"""Memory of a worker's two processes with PyTorch and the libraries, without weights."""
WEIGHTS_FACTOR = 2
"""Memory per byte of a file of weights: files have 16 bits per number, processors need 32."""


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """The processes to start: some with models, and one that only asks servers.

    Attributes:
        devices: Device of each process with models, as PyTorch names it or "auto".
        cpu_threads: Threads of a forward pass on the processor; None: the profile decides.
        reason: Why there are not more, e.g. "2 cores"; "" if a person chose the number.
        role: Role of each process with models, as `factory worker` takes it.
        served: Role of the process that only asks servers, which waits most of the time; None:
            there is no such process.
    """

    devices: tuple[str, ...]
    cpu_threads: int | None
    reason: str
    role: str = ALL_ROLES
    served: str | None = None

    @property
    def count(self) -> int:
        """Return the number of processes with models."""
        return len(self.devices)

    @property
    def roles(self) -> tuple[str, ...]:
        """Return the role of each process."""
        return (*[self.role] * self.count, *([self.served] if self.served else []))

    def describe(self) -> str:
        """Return the plan in a few words, e.g. "2 worker processes (2 cores)"."""
        processes = "worker process" if self.count == 1 else "worker processes"
        reason = f" ({self.reason})" if self.reason else ""
        served = f", and one that asks servers ({self.served})" if self.served else ""
        return f"{self.count} {processes}{reason}{served}"


def plan_workers(
    settings: Settings,
    wanted: int | None,
    roles: Sequence[str] = (),
    batches: int | None = None,
    machine: Machine | None = None,
) -> WorkerPlan:
    """Return how many processes of these roles the machine runs well at the same time.

    A GPU gets one process. Without one, each core gets a process, as far as the memory is enough.
    Roles whose models are all on servers get a process of their own, so that no device waits for a
    server; it is not counted, because it computes next to nothing.

    Args:
        settings: The profile.
        wanted: A number that a person chose; None: as many as possible.
        roles: Those that are needed; none: all of the profile.
        batches: Batches that can be worked on at the same time; None: no limit.
        machine: Where they run; None: this machine.
    """
    needed = list(roles or settings.roles)
    served = [role for role in needed if asks_servers(settings, role)]
    local = [role for role in needed if role not in served] or needed
    machine = machine or Machine.here(settings.device)
    gpus, cores = machine.gpus, machine.cores
    limits = [(gpus, _count("GPU", gpus)) if gpus else (cores, _count("core", cores))]
    if not gpus and (fitting := _fitting(settings, local, machine.free_bytes)) is not None:
        limits.append((fitting, f"memory for {fitting}"))
    if batches is not None:
        limits.append((max(1, batches), _count("batch", max(1, batches))))
    most, reason = min(limits, key=lambda limit: limit[0])
    count = wanted or most
    devices = [f"cuda:{number % gpus}" if gpus > 1 else settings.device for number in range(count)]
    threads = None if gpus or count == 1 else max(1, cores // count)
    return WorkerPlan(
        tuple(devices),
        settings.cpu_threads or threads,
        "" if wanted else reason,
        ",".join(local) if local != list(settings.roles) else ALL_ROLES,
        ",".join(served) if local != needed else None,
    )


def _fitting(settings: Settings, roles: Sequence[str], free: int | None) -> int | None:
    """Return how many processes fit into the memory, at least 1; None: not known."""
    if free is None:
        return None
    loaded = {key for role in roles for key in settings.roles[role]}
    weights = sum(_weights_bytes(settings.families[key]) for key in loaded)
    return max(1, free // (LIBRARIES_BYTES + WEIGHTS_FACTOR * weights))


def _weights_bytes(config: object) -> int:
    path = local_files.find(config) if isinstance(config, WeightsConfig) else None
    files = local_files.weights_in(path) if path else []
    return sum(file.stat().st_size for file in files)


def _count(noun: str, number: int) -> str:
    plural = f"{noun}es" if noun.endswith("h") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"
