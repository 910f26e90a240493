"""Smoke test of a profile's models, each in its own process (`factory models check`)."""

import logging
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import ParamSpec, TypeVar

from chatgenimage.factory import log
from chatgenimage.factory.app import refuse_unable
from chatgenimage.factory.checkpoints.inventory import list_needs
from chatgenimage.factory.errors import FactoryError, UnknownName
from chatgenimage.factory.settings.model import Settings
from chatgenimage.workers.config import (
    FamilyConfig,
    RulesConfig,
)
from chatgenimage.workers.device import pick_device
from chatgenimage.workers.errors import WorkerError
from chatgenimage.workers.painter_config import GeneratorConfig
from chatgenimage.workers.server_config import ServerConfig
from chatgenimage.workers.trial import TrialResult, try_family

P = ParamSpec("P")
R = TypeVar("R")

USUAL_SIZE_WH = (512, 512)


def try_models(
    settings: Settings, only: Sequence[str] = ()
) -> Iterator[tuple[str, TrialResult | str]]:
    """Yield each model's trial result, or one line that says why it failed and what to do.

    Args:
        settings: Settings of the profile.
        only: Names of models in the profile; empty: all models that a role loads.

    Raises:
        UnknownName: If the profile has no such model.
    """
    for key in models_named(settings, only):
        config = settings.families[key]
        device = "cpu" if is_spoken_to(config) else pick_device(settings.device)
        yield key, run_alone(_try_under, key, config, device, image_size_wh(settings))


def _try_under(
    key: str, config: FamilyConfig, device: str, size_wh: tuple[int, int]
) -> TrialResult:
    """Return the trial result of a family that can do what its key of the profile is for."""
    return try_family(config, device, size_wh, partial(refuse_unable, key))


def models_named(settings: Settings, only: Sequence[str]) -> Sequence[str]:
    """Return the names in `only`; if there are none, those of all models that a role loads.

    Raises:
        UnknownName: If the profile has no such model.
    """
    keys = [need.key for need in list_needs(settings)]
    if unknown := [key for key in only if key not in keys]:
        raise UnknownName(
            f"profile {settings.profile!r} has no model {unknown[0]!r}; it has: {', '.join(keys)}."
        )
    return only or keys


def is_spoken_to(config: FamilyConfig) -> bool:
    """Return whether the family has no weights here: a rule book, or a model on a server."""
    return isinstance(config, RulesConfig | ServerConfig)


def run_alone(trial: Callable[P, R], *arguments: P.args, **options: P.kwargs) -> R | str:
    """Return the result of a trial in a separate process, or why it failed.

    So each trial's memory is measured alone, and a trial that is killed does not end the check.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=_log_to_stderr) as pool:
        try:
            return pool.submit(trial, *arguments, **options).result()
        except (WorkerError, FactoryError) as error:
            return str(error)
        except BrokenProcessPool:
            return (
                "its process was killed, most likely because memory ran out; "
                "free some, or use a smaller checkpoint in the profile."
            )
        except (RuntimeError, OSError, ValueError, TypeError) as error:
            first_line = (str(error).strip() or "no message").splitlines()[0]
            return (
                f"{type(error).__name__}: {first_line}. Check device and driver with `factory "
                "doctor`; if they are fine, the checkpoint and the installed libraries do not "
                "match: pip install -r requirements.txt."
            )


def _log_to_stderr() -> None:
    """Send warnings of a trial to stderr: stdout has only the results."""
    log.configure(level=logging.WARNING)


def image_size_wh(settings: Settings) -> tuple[int, int]:
    """Return the size of the images that the profile generates."""
    for config in settings.families.values():
        if isinstance(config, GeneratorConfig):
            return config.size_wh
    return USUAL_SIZE_WH
