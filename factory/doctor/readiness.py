"""Readiness of this machine: the cheap checks before anything is downloaded, submitted or loaded.

The order is that of their cost: packages, key, device, broker and storage, space and memory, and
the models' servers. `factory doctor` looks at all of it and at more.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from chatgenimage.factory.app import family_keys, fetch_checkpoints, needs_no_device
from chatgenimage.factory.broker.broker import check_broker
from chatgenimage.factory.checkpoints.inventory import pending_bytes
from chatgenimage.factory.checkpoints.memory import describe_shortage
from chatgenimage.factory.doctor.endpoint import look_at_endpoint
from chatgenimage.factory.doctor.findings import EXPECTED, Health
from chatgenimage.factory.errors import NotReady
from chatgenimage.factory.image_store import open_images
from chatgenimage.factory.local_workers import machine
from chatgenimage.factory.settings.model import Settings
from chatgenimage.workers.config import FamilyConfig
from chatgenimage.workers.device import refuse_absent
from chatgenimage.workers.llm.server import make_client, require_model
from chatgenimage.workers.llm.templates import check_templates
from chatgenimage.workers.registry import missing_packages
from chatgenimage.workers.server_config import OpenAiConfig, ServerConfig

GIGABYTE = 10**9
SPARE_BYTES = 2 * GIGABYTE
"""Disk space that is left for images and logs."""
Look = Callable[[Settings, Sequence[str]], Iterator[str]]
"""A check: yields what is wrong for these roles, and what to do."""


def prepare(settings: Settings, roles: Sequence[str], *, waits: bool = False) -> list[str]:
    """Check this machine for the roles, then download the checkpoints that it lacks.

    Args:
        settings: The profile.
        roles: Those whose models this machine loads.
        waits: Whether the process waits for database and broker by itself, as a worker does; they
            are not looked at then.

    Returns:
        Warnings, a sentence each.

    Raises:
        NotReady: With everything that is wrong; nothing was downloaded.
        CheckpointNotFound: If a checkpoint is missing and cannot be downloaded.
    """
    warnings = check_ready(settings, roles, waits=waits)
    fetch_checkpoints(settings, roles)
    return warnings


def check_ready(settings: Settings, roles: Sequence[str], *, waits: bool = False) -> list[str]:
    """Return warnings about this machine; see `prepare`.

    Raises:
        NotReady: With everything that is wrong.
    """
    looks: list[Look] = [find_missing_packages, _keys, find_bad_prompts]
    if not waits or downloads_of(settings, roles):  # else its models say the same in a moment
        looks.append(_device)
    if not waits:
        looks.append(_broker)
    looks += [find_lack_of_space, _servers]
    if not waits:
        looks.append(_storage)
    problems: list[str] = []
    for look in looks:
        problems += look(settings, roles)
        # The checks after these import the packages, or write.
        if problems and look in (find_missing_packages, _servers):
            break
    if problems:
        raise NotReady(problems)
    if waits or not machine.count_gpus(settings.device):  # without a driver it imports no PyTorch
        return []
    short = describe_shortage(settings, roles)
    return [short] if short else []


def downloads_of(settings: Settings, roles: Sequence[str]) -> list[int]:
    """Return the sizes of the downloads that these roles need, 0 for a size that is not known."""
    sizes = map(pending_bytes, _configs(settings, roles))
    return [size for size in sizes if size is not None]


def find_missing_packages(settings: Settings, roles: Sequence[str]) -> Iterator[str]:
    """Yield which packages the families of the roles lack, with the command that installs them."""
    missing: dict[str, list[str]] = {}
    for config in _configs(settings, roles):
        names, extra = missing_packages(config)
        if names:
            missing.setdefault(extra, []).extend(names)
    for extra, names in missing.items():
        listed = ", ".join(dict.fromkeys(names))
        yield f"not installed: {listed}. Install with `pip install '.[{extra}]'`."


def _keys(settings: Settings, roles: Sequence[str]) -> Iterator[str]:
    for config in _servers_asked(settings, roles):
        yield from _complaint(partial(make_client, config, 1.0, 0))


def find_bad_prompts(settings: Settings, roles: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with the files of a `prompts_folder`."""
    for config in _servers_asked(settings, roles):
        if isinstance(config, OpenAiConfig) and config.prompts_folder:
            yield from _complaint(partial(check_templates, Path(config.prompts_folder)))


def _device(settings: Settings, roles: Sequence[str]) -> Iterator[str]:
    if not needs_no_device(settings, roles):
        yield from _complaint(lambda: refuse_absent(settings.device))


def _broker(settings: Settings, _roles: Sequence[str]) -> Iterator[str]:
    yield from _complaint(lambda: check_broker(settings))


def _storage(settings: Settings, _roles: Sequence[str]) -> Iterator[str]:
    """Write a file into a store elsewhere; look only at permissions here, to leave no folder."""
    if settings.image_store_url is not None:
        yield from _complaint(lambda: open_images(settings).check_writable())
    place = _existing(settings.data_dir)
    if not (place.is_dir() and os.access(place, os.W_OK)):
        yield (
            f"the data folder {settings.data_dir} cannot be written: {place} is a file, or you may "
            "not write there. Name another: --data-dir or FACTORY_DATA_DIR."
        )


def find_lack_of_space(settings: Settings, roles: Sequence[str]) -> Iterator[str]:
    """Yield a sentence if the disk has no room for the models that are not here."""
    wanted = sum(downloads_of(settings, roles))
    if not wanted:
        return
    folder = _download_folder()
    free = shutil.disk_usage(folder).free
    if free < wanted + SPARE_BYTES:
        yield (
            f"the models of these roles are a download of {wanted / GIGABYTE:.1f} GB, and "
            f"{free / GIGABYTE:.1f} GB are free at {folder}: free some space, or set HF_HOME to a "
            "folder on a larger disk."
        )


def _servers(settings: Settings, roles: Sequence[str]) -> Iterator[str]:
    """Ask the models' servers; one that does not answer is a problem only before a download.

    Without one, the run waits for it.
    """
    has_downloads = bool(downloads_of(settings, roles))
    asked = _servers_asked(settings, roles)
    for config in {(one.base_url, one.api_key, one.model): one for one in asked}.values():
        if not has_downloads:
            yield from _complaint(partial(require_model, config))
            continue
        found = look_at_endpoint(config)
        if found.health is Health.WRONG:
            yield f"{found.text}."


def _complaint(look: Callable[[], object]) -> Iterator[str]:
    try:
        look()
    except EXPECTED as error:
        yield str(error)


def _configs(settings: Settings, roles: Sequence[str]) -> list[FamilyConfig]:
    return [settings.families[key] for key in family_keys(settings, roles)]


def _servers_asked(settings: Settings, roles: Sequence[str]) -> list[ServerConfig]:
    return [one for one in _configs(settings, roles) if isinstance(one, ServerConfig)]


def _download_folder() -> Path:
    """Return an existing folder on the disk that downloads go to."""
    if find_spec("huggingface_hub") is not None:
        from huggingface_hub.constants import HF_HUB_CACHE

        return _existing(Path(HF_HUB_CACHE))
    return _existing(Path.home())


def _existing(path: Path) -> Path:
    """Return the path or the nearest folder above it that exists."""
    path = path.absolute()
    return next(one for one in (path, *path.parents) if one.exists())
