"""Checks of `factory doctor`: one per need, each saying what to do."""

import platform
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement
from sqlalchemy import make_url

from chatgenimage.db.addresses import show_address
from chatgenimage.db.clock import measure_difference_s
from chatgenimage.db.errors import StoreError
from chatgenimage.db.session import find_revision, newest_revision, reading
from chatgenimage.factory.app import needs_no_device
from chatgenimage.factory.broker.broker import open_broker
from chatgenimage.factory.broker.embedded_redis import EmbeddedBroker, find_server
from chatgenimage.factory.commands import spell
from chatgenimage.factory.database import connected, describe_schema
from chatgenimage.factory.doctor.findings import EXPECTED, Finding, Health
from chatgenimage.factory.doctor.memory import look_at_memory as _memory
from chatgenimage.factory.doctor.readiness import (
    Look,
    find_bad_prompts,
    find_lack_of_space,
    find_missing_packages,
)
from chatgenimage.factory.image_store import open_images
from chatgenimage.factory.settings.model import Settings
from chatgenimage.factory.submission.unused_names import list_doubtful_names
from chatgenimage.workers.device import refuse_absent
from chatgenimage.workers.errors import CheckpointNotFound
from chatgenimage.workers.server_config import ServerConfig
from chatgenimage.workers.weights import hub, local_files
from chatgenimage.workers.weights.catalog import PUBLISHED_FILES
from chatgenimage.workers.weights_config import WeightsConfig

PACKAGE = "chatgenimage-factory"
CLOCK_DIFFERENCE_S = 5.0
LITTLE_BYTES = 5 * 2**30
TOO_LITTLE_BYTES = 2**30
LITTLE_VRAM_SHARE = 0.5
OFFLINE = (
    "HF_HUB_OFFLINE is set, so they cannot be downloaded: unset it, or copy them to HF_HOME from "
    "another machine"
)
BEFORE_A_RUN: dict[str, Look] = {
    "packages": find_missing_packages,
    "prompts": find_bad_prompts,
    "downloads": find_lack_of_space,
}
"""Checks that `factory run` makes too; a finding for each problem, and none if all is well."""


def examine(settings: Settings) -> Iterator[Finding]:
    """Yield one finding per need of these settings; nothing is downloaded, started or changed."""
    yield Finding("settings", Health.OK, f"profile {settings.profile}, data in {settings.data_dir}")
    for look in (
        _database,
        _clock,
        _broker,
        _images,
        _disk,
        _checkpoints,
        _device,
        _memory,
        _versions,
    ):
        try:
            found = look(settings)
        except EXPECTED as error:
            found = Finding(look.__name__.strip("_"), Health.WRONG, str(error))
        if found is not None:
            yield found
    for name, find in BEFORE_A_RUN.items():
        for problem in find(settings, list(settings.roles)):
            yield Finding(name, Health.WRONG, problem.rstrip("."))
    for doubt in list_doubtful_names(settings.chain):
        yield Finding("classes", Health.WARNING, doubt)
    yield from _endpoints(settings)


def has_rows_and_files(settings: Settings, findings: Sequence[Finding]) -> bool:
    """Return whether rows and files can be compared, given the findings of `examine`."""
    places = [found.health for found in findings if found.name in {"database", "images"}]
    return all(health is Health.OK for health in places) and _has_tables(settings)


def _has_database(settings: Settings) -> bool:
    url = make_url(settings.resolved_database_url())
    return url.get_backend_name() != "sqlite" or Path(url.database or "").is_file()


def _has_tables(settings: Settings) -> bool:
    """Return whether there is a database with the newest schema: not a missing or an empty one."""
    if not _has_database(settings):
        return False
    with connected(settings) as sessions:
        return find_revision(sessions) == newest_revision()


def _database(settings: Settings) -> Finding:
    url = show_address(settings.resolved_database_url())
    if not _has_database(settings):
        return Finding("database", Health.OK, f"none yet at {url}; `factory run` creates it")
    with connected(settings) as sessions:
        found = find_revision(sessions)
    if found is None:
        return Finding("database", Health.OK, f"{url} is empty; `factory run` fills it")
    if found == newest_revision():
        return Finding("database", Health.OK, f"{url} answers, schema {found}")
    return Finding("database", Health.WRONG, f"{url} {describe_schema(found)}")


def _clock(settings: Settings) -> Finding | None:
    """Compare the clocks if there is a database with the newest schema."""
    try:
        if not _has_tables(settings):
            return None
    except StoreError:  # the finding "database" says it
        return None
    with connected(settings) as sessions, reading(sessions) as session:
        return judge_clock(measure_difference_s(session))


def judge_clock(difference_s: float) -> Finding:
    """Return the finding about the database's clock, ahead of this machine's by so many seconds."""
    if abs(difference_s) <= CLOCK_DIFFERENCE_S:
        return Finding("clock", Health.OK, "this machine and the database agree on the time")
    side = "ahead of" if difference_s > 0 else "behind"
    text = (
        f"the database's clock is {abs(difference_s):.0f} s {side} this machine's: times that are "
        "shown are wrong, work is not. Correct the clock that is wrong (NTP); with SQLite the "
        "database follows at the next boot"
    )
    return Finding("clock", Health.WARNING, text)


def _broker(settings: Settings) -> Finding:
    broker = open_broker(settings)
    if isinstance(broker, EmbeddedBroker):
        return Finding("broker", Health.OK, f"embedded, {find_server()}")
    broker.ensure()
    return Finding("broker", Health.OK, f"{show_address(broker.url)} answers")


def _images(settings: Settings) -> Finding:
    place = open_images(settings).check_writable()
    return Finding("images", Health.OK, f"{place} can be written to")


def _disk(settings: Settings) -> Finding:
    folder = settings.data_dir.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    text = f"{free / 2**30:.1f} GiB free at {folder}"
    if free < TOO_LITTLE_BYTES:
        return Finding("disk", Health.WRONG, f"{text}: free some; work stops when it is full")
    if free < LITTLE_BYTES:
        return Finding("disk", Health.WARNING, f"{text}: not much for a long run")
    return Finding("disk", Health.OK, text)


def _checkpoints(settings: Settings) -> Finding:
    configs = [c for c in settings.families.values() if isinstance(c, WeightsConfig)]
    absent, wrong = [], []
    for config in configs:
        try:
            if local_files.find(config) is None and _is_published(config.checkpoint):
                absent.append(config.checkpoint)
            elif not hub.is_hub_id(config.checkpoint):
                local_files.locate(config)
        except CheckpointNotFound as error:
            wrong.append(str(error).rstrip("."))
    stays_absent = _is_offline() and any(map(hub.is_hub_id, absent))
    if absent:
        pull = spell("models", "pull")
        text = f"{len(absent)} of {len(configs)} are not downloaded: {', '.join(absent)}"
        way = f"`{pull}` downloads them, and so does a worker that starts"
        wrong.append(f"{text}; {OFFLINE if stays_absent else way}")
    if wrong:
        health = Health.WARNING if absent and len(wrong) == 1 else Health.WRONG
        health = Health.WRONG if stays_absent else health
        return Finding("checkpoints", health, "; ".join(wrong))
    return Finding("checkpoints", Health.OK, f"all {len(configs)} are present")


def _is_offline() -> bool:
    """Return whether nothing may be downloaded from the hub."""
    if find_spec("huggingface_hub") is None:
        return False
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def _is_published(checkpoint: str) -> bool:
    """Return whether `factory models pull` knows where to fetch it."""
    return hub.is_hub_id(checkpoint) or Path(checkpoint).name in PUBLISHED_FILES


def _device(settings: Settings) -> Finding:
    if needs_no_device(settings, list(settings.roles)):
        return Finding("device", Health.OK, "none needed")
    try:
        import torch
    except ImportError:
        return Finding("device", Health.WRONG, "no PyTorch: pip install '.[gpu]'")
    try:
        gpus = [
            Gpu(torch.cuda.get_device_name(index), *torch.cuda.mem_get_info(index))
            for index in range(torch.cuda.device_count())
        ]
    except RuntimeError as error:  # a card that is full or broken does not even tell its memory
        first_line = str(error).splitlines()[0]
        return Finding("device", Health.WRONG, f"{first_line}; look at it with nvidia-smi")
    if settings.device == "mps":
        refuse_absent(settings.device)
    return judge_gpus(settings.device, gpus, f"torch {torch.__version__}")


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU that PyTorch sees, and its memory."""

    name: str
    free_bytes: int
    total_bytes: int


def judge_gpus(device: str, gpus: Sequence[Gpu], library: str) -> Finding:
    """Return the finding about the configured device and every GPU's free memory."""
    if device.startswith("cuda") and int(device.partition(":")[2] or 0) >= len(gpus):
        count = f"only {len(gpus)}" if gpus else "no GPU"
        text = f"device is {device}, but {library} finds {count}: check the driver (nvidia-smi), "
        return Finding("device", Health.WRONG, f"{text}or set device to auto")
    memory = [
        f"{gpu.name} ({gpu.free_bytes / 2**30:.1f} of {gpu.total_bytes / 2**30:.1f} GiB free)"
        for gpu in gpus
    ]
    text = f"{device}; {', '.join(memory) or 'no GPU'}, {library}"
    if any(gpu.free_bytes < LITTLE_VRAM_SHARE * gpu.total_bytes for gpu in gpus):
        text += ": other programs use much of a GPU; end them (nvidia-smi) or set another device"
        return Finding("device", Health.WARNING, text)
    return Finding("device", Health.OK, text)


def _versions(settings: Settings) -> Finding:
    try:
        wanted = [Requirement(text) for text in requires(PACKAGE) or []]
    except PackageNotFoundError:
        return Finding("versions", Health.WARNING, "not installed as a package: pip install -e .")
    extra = "" if needs_no_device(settings, list(settings.roles)) else "gpu"
    wrong = [
        text
        for need in wanted
        if need.marker is None or need.marker.evaluate({"extra": extra})
        if (text := _misfit(need))
    ]
    if wrong:
        remedy = "pip install -r requirements.txt"
        return Finding("versions", Health.WRONG, f"{', '.join(wrong)}: {remedy}")
    parts = f"Python {platform.python_version()}, Celery {version('celery')}"
    return Finding("versions", Health.OK, f"{parts}, all as required")


def _misfit(need: Requirement) -> str | None:
    try:
        found = version(need.name)
    except PackageNotFoundError:
        return f"{need.name} is not installed"
    return None if need.specifier.contains(found, prereleases=True) else f"{need}, found {found}"


def _endpoints(settings: Settings) -> Iterator[Finding]:
    """Yield a finding per model on a server; a model that several families ask is asked once."""
    from chatgenimage.factory.doctor.endpoint import look_at_endpoint

    used = {key for keys in settings.roles.values() for key in keys}
    configs = [settings.families[key] for key in settings.families if key in used]
    servers = [config for config in configs if isinstance(config, ServerConfig)]
    yield from map(
        look_at_endpoint, {(c.base_url, c.api_key, c.model): c for c in servers}.values()
    )
