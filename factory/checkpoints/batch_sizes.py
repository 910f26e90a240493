"""Batch sizes: the speed of passes of 1, 2, 4, ... items, and the best size for a profile."""

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

from chatgenimage.factory.checkpoints.inventory import write_copy
from chatgenimage.factory.checkpoints.smoke_test import (
    image_size_wh,
    is_spoken_to,
    models_named,
    run_alone,
)
from chatgenimage.factory.settings.model import Settings
from chatgenimage.workers.device import pick_device
from chatgenimage.workers.trial import PassTime, time_passes

MOST = 64
"""Largest pass that is tried."""
WORTH_IT = 1.03
"""A larger batch is worth its memory if it is faster by more than this factor."""


def time_models(
    settings: Settings, only: Sequence[str] = (), most: int = MOST
) -> Iterator[tuple[str, list[PassTime] | str]]:
    """Yield the times of each model that processes images, or why it failed and what to do.

    Args:
        settings: Settings of the profile.
        only: Names of models in the profile; empty: all models that a role loads.
        most: Largest pass to try.

    Raises:
        UnknownName: If the profile has no such model.
    """
    device = pick_device(settings.device)
    for key in models_named(settings, only):
        config = settings.families[key]
        if not is_spoken_to(config):
            yield key, run_alone(time_passes, config, device, image_size_wh(settings), most)


def choose_batch_size(times: Mapping[str, Sequence[PassTime]]) -> int:
    """Return the smallest size at which all models together are about as fast as they can be.

    Args:
        times: Times of each model, at least one each; only sizes that every model has count.
    """
    sizes = reduce(set.intersection, ({time.size for time in some} for some in times.values()))
    image_s = {
        size: sum(
            time.seconds / size for some in times.values() for time in some if time.size == size
        )
        for size in sizes
    }
    fastest_s = min(image_s.values())
    return min(size for size in sizes if image_s[size] <= WORTH_IT * fastest_s)


def write_batch_size(profile: str, size: int, to: Path) -> None:
    """Write a copy of a profile with this `chain.batch_size`.

    Raises:
        CannotWrite: If it would overwrite the profile itself.
    """

    def change(content: dict[str, Any]) -> None:
        """Set the size in a profile's content."""
        content["chain"] = {**content.get("chain", {}), "batch_size": size}

    write_copy(profile, change, to)
