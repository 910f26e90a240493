"""Times that `factory models check` measured, kept in the data folder for `factory plan`.

A time belongs to a model with its settings, an image size and a device.
"""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from chatgenimage.factory.atomic_write import write_file
from chatgenimage.factory.checkpoints.smoke_test import image_size_wh, try_models
from chatgenimage.factory.errors import SettingsError
from chatgenimage.factory.settings.model import Settings
from chatgenimage.factory.settings.run_profile import dump_profile
from chatgenimage.workers.device import device_name, pick_device
from chatgenimage.workers.server_config import ServerConfig
from chatgenimage.workers.trial import TrialResult

FILE = "model-times.json"
SERVER = "server"


@dataclass(frozen=True, slots=True)
class TrialTime:
    """Seconds of one item of a model.

    Attributes:
        family: Its family.
        device: Name of the device, or "server".
        seconds: By capability, as in `workers.trial.Job`.
        measured_at: Unix time.
    """

    family: str
    device: str
    seconds: Mapping[str, float]
    measured_at: float


TIMES = TypeAdapter(dict[str, TrialTime])


def try_and_remember(
    settings: Settings, only: Sequence[str] = ()
) -> Iterator[tuple[str, TrialResult | str]]:
    """Yield each model's trial result, as `try_models` does, and keep its times.

    Raises:
        UnknownName: If the profile has no such model.
        SettingsError: If the file of earlier times is damaged.
        CannotWrite: If the file cannot be written.
    """
    _read(settings.data_dir)
    for key, outcome in try_models(settings, only):
        if isinstance(outcome, TrialResult):
            remember_trial(settings, key, outcome)
        yield key, outcome


def remember_trial(settings: Settings, key: str, result: TrialResult) -> None:
    """Keep the times of a model.

    Args:
        settings: The profile.
        key: The model's name in it.
        result: Of its trial.

    Raises:
        SettingsError: If the file of earlier times is damaged.
        CannotWrite: If the file cannot be written.
    """
    config = settings.families[key]
    if not result.seconds:
        return
    device = _device_of(settings, key)
    family = str(config.model_dump()["family"])
    times = _read(settings.data_dir) | {
        _hash(settings, key, device): TrialTime(family, device, dict(result.seconds), time.time())
    }
    content = {name: asdict(one) for name, one in sorted(times.items())}
    text = json.dumps(content, indent=1)
    write_file(settings.data_dir / FILE, text.encode(), data_dir=settings.data_dir)


def recall_trials(settings: Settings, *, has_device: bool) -> dict[str, TrialTime]:
    """Return the times of a profile's models on this machine's device, by their names in it.

    Args:
        settings: The profile.
        has_device: Whether its device is on this machine; else models on servers alone are known.

    Raises:
        SettingsError: If the file is damaged.
    """
    times = _read(settings.data_dir)
    if not times:
        return {}
    found = {
        key: times.get(_hash(settings, key, _device_of(settings, key)))
        for key, config in settings.families.items()
        if has_device or isinstance(config, ServerConfig)
    }
    return {key: one for key, one in found.items() if one is not None}


def _read(data_dir: Path) -> dict[str, TrialTime]:
    """Return the remembered times by model; empty if none were measured.

    Raises:
        SettingsError: If the file is damaged.
    """
    path = data_dir / FILE
    try:
        return TIMES.validate_json(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValidationError) as error:
        raise SettingsError(
            f"{path} cannot be read ({type(error).__name__}). Delete it; `factory models check` "
            "measures again."
        ) from None


def _device_of(settings: Settings, key: str) -> str:
    """Return the name of the device on which a model computes."""
    if isinstance(settings.families[key], ServerConfig):
        return SERVER
    return device_name(pick_device(settings.device))


def _hash(settings: Settings, key: str, device: str) -> str:
    """Return a hash of a model with its settings, the size of images, and the device."""
    family = dump_profile(settings)["families"][key]
    text = json.dumps([family, image_size_wh(settings), device], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
