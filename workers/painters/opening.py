"""Opening of a checkpoint by the class that its `model_index.json` names."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import diffusers

from chatgenimage.workers.errors import CheckpointBroken
from chatgenimage.workers.painter_config import PainterConfig
from chatgenimage.workers.painters.pipelines_table import PipelineRow
from chatgenimage.workers.weights import local_files
from chatgenimage.workers.weights.pipelines import load_pipeline, read_index, settings_folder

Row = TypeVar("Row", bound=PipelineRow)

UNGUIDED = 1.0
"""Strength of guidance at which nothing is guided."""


def class_name_at(path: Path, config: PainterConfig) -> str:
    """Return the pipeline class of a checkpoint; a single file has that of its `settings_of`.

    Raises:
        CheckpointBroken: If nothing names a class.
    """
    with local_files.loading(config.checkpoint):
        folder = path if path.is_dir() else settings_folder(config, path)
        return str(read_index(folder)["_class_name"])


def row_of(name: str, table: Mapping[str, Row], config: PainterConfig) -> Row:
    """Return the row of a pipeline class.

    Raises:
        CheckpointBroken: If there is none; the message lists the classes of the table.
    """
    if name in table:
        return table[name]
    family = config.model_dump()["family"]
    raise CheckpointBroken(
        f"the checkpoint {config.checkpoint} is of the pipeline class {name}, and {family} knows "
        f"{', '.join(table)}. Name another checkpoint or family in the profile, or add a row for "
        "the class to workers/painters/pipelines_table.py."
    )


def open_pipeline(
    name: str,
    row: PipelineRow,
    config: PainterConfig,
    path: Path,
    device: str,
) -> Any:  # noqa: ANN401 (a pipeline of any class)
    """Return a pipeline ready on `device`.

    Args:
        name: Its class.
        row: The row of the class.
        config: The checkpoint, its precision and memory options.
        path: Where its weights are.
        device: As torch names it.

    Raises:
        CheckpointBroken: If it does not load, or the negative prompt would have no effect.
    """
    if config.negative_prompt and not row.has_negative:
        raise CheckpointBroken(
            f"{name} of {config.checkpoint} has no negative prompt; delete `negative_prompt`."
        )
    return load_pipeline(getattr(diffusers, name), config, path, device)


def guidance_of(config: PainterConfig, setting: str, row: PipelineRow, pipeline: Any) -> float:  # noqa: ANN401
    """Return the strength of guidance: what a profile wants, else the row's.

    Args:
        config: The settings.
        setting: Name of the one that has the strength.
        row: The row of the pipeline's class.
        pipeline: The loaded pipeline.

    Raises:
        CheckpointBroken: If the strength, or the negative prompt, would have no effect.
    """
    wanted: float | None = getattr(config, setting)
    if not row.is_guided(pipeline):
        if wanted is not None:
            raise CheckpointBroken(
                f"{config.checkpoint} is distilled, and guidance has no effect on it; delete "
                f"`{setting}`."
            )
        return UNGUIDED
    strength = max(row.guidance if wanted is None else wanted, row.least_guidance)
    if config.negative_prompt and strength <= row.unguided:
        raise CheckpointBroken(
            f"`negative_prompt` has no effect on {config.checkpoint} with `{setting}: {strength:g}`"
            f"; delete it, or set `{setting}` above {row.unguided:g}."
        )
    return strength


def share_parts(name: str, pipeline: Any) -> Any:  # noqa: ANN401 (pipelines of any class)
    """Return a pipeline of another class over the same weights.

    It has its own scheduler, because a scheduler has state.
    """
    kind = getattr(diffusers, name)
    known = dict(pipeline.config) | pipeline.components
    scheduler = pipeline.scheduler
    known["scheduler"] = type(scheduler).from_config(scheduler.config)
    taken = inspect.signature(kind.__init__).parameters
    sharing = kind(**{key: value for key, value in known.items() if key in taken})
    sharing.set_progress_bar_config(disable=True)
    return sharing
