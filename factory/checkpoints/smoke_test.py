"""`factory models check`: every model of a profile, one after the other, in its own process."""

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from chatgenimage.factory.checkpoints.inventory import list_needs
from chatgenimage.factory.errors import UnknownName
from chatgenimage.factory.settings.model import Settings
from chatgenimage.workers.config import (
    FamilyConfig,
    OpenAiConfig,
    RulesConfig,
    StableDiffusionConfig,
)
from chatgenimage.workers.device import pick_device
from chatgenimage.workers.errors import WorkerError
from chatgenimage.workers.trial import Trial, try_family

USUAL_SIZE_WH = (512, 512)


def try_models(settings: Settings, only: Sequence[str] = ()) -> Iterator[tuple[str, Trial | str]]:
    """Yield for each model what its trial took, or in one line why it failed and what to do.

    Args:
        settings: Of the profile.
        only: The models' names in the profile; none: every one that a role loads.

    Raises:
        UnknownName: If the profile has no such model.
    """
    keys = [need.key for need in list_needs(settings)]
    if unknown := [key for key in only if key not in keys]:
        raise UnknownName(
            f"profile {settings.profile!r} has no model {unknown[0]!r}; it has: {', '.join(keys)}."
        )
    for key in only or keys:
        yield key, _try_alone(settings, settings.families[key])


def _try_alone(settings: Settings, config: FamilyConfig) -> Trial | str:
    """Return what a trial in a process of its own took, or why it failed.

    Its memory is then its own, and what kills it does not kill the check.
    """
    is_spoken_to = isinstance(config, RulesConfig | OpenAiConfig)
    device = "cpu" if is_spoken_to else pick_device(settings.device)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        try:
            return pool.submit(try_family, config, device, _size_wh(settings)).result()
        except WorkerError as error:
            return str(error)
        except BrokenProcessPool:
            return (
                "its process was killed, most likely for want of memory; "
                "free some, or name a smaller checkpoint in the profile."
            )
        except (RuntimeError, OSError, ValueError, TypeError) as error:
            first_line = (str(error).strip() or "no message").splitlines()[0]
            return (
                f"{type(error).__name__}: {first_line}. If the device or the driver is not to "
                "blame (`factory doctor`), the checkpoint and the installed libraries do not "
                "fit: pip install -r requirements.txt."
            )


def _size_wh(settings: Settings) -> tuple[int, int]:
    """Return the size of the images that the profile paints."""
    for config in settings.families.values():
        if isinstance(config, StableDiffusionConfig):
            return config.size_wh
    return USUAL_SIZE_WH
