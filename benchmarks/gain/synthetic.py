"""Synthetic images: a run of the factory, and renders that the factory labels."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.gain.setting import Setting
from chatgenimage import open_store
from chatgenimage.factory.gain.run_images import read_run
from chatgenimage.factory.gain.values import LabelledImage, LabelledObject
from chatgenimage.factory.query.rows import CandidateRow

RUN, LABELLED, PICTURES = "run", "labelled", "pictures"
RUN_ID = 1


def make_run(setting: Setting, work: Path) -> list[LabelledImage]:
    """Return the candidates of `factory run`; the run is made unless the folder has it."""
    words = ["run", *setting.labels, "--per-label", setting.per_label, "--seed", setting.run_seed]
    _once(work / RUN, [*words, *setting.options])
    with open_store(work / RUN) as store:
        return read_run(store, RUN_ID)


def label_renders(
    renders: Sequence[LabelledImage], setting: Setting, work: Path
) -> list[LabelledImage]:
    """Return renders with the objects that `factory annotate` finds, instead of the true ones."""
    pictures = work / PICTURES
    pictures.mkdir(exist_ok=True)
    for index, render in enumerate(renders):
        (pictures / _file_name(index)).write_bytes(render.read())
    words = ["annotate", pictures, "--labels", ",".join(setting.labels)]
    _once(work / LABELLED, [*words, *setting.options])
    with open_store(work / LABELLED) as store:
        rows = {row.source_name: row for row in store.candidates(run=RUN_ID)}
    return [
        replace(render, objects=_objects_of(rows[_file_name(index)], setting.labels))
        for index, render in enumerate(renders)
    ]


def _file_name(index: int) -> str:
    return f"{index:04}.png"


def _objects_of(row: CandidateRow, labels: Sequence[str]) -> tuple[LabelledObject, ...]:
    return tuple(
        LabelledObject(found.label, found.box_xyxy)
        for found in row.annotations
        if found.label in labels
    )


def _once(data_dir: Path, words: Sequence[object]) -> None:
    """Run a command of the factory into a data folder, which has its name only when it is done."""
    if data_dir.exists():
        return
    partial = data_dir.with_name(f"{data_dir.name}.partial")
    command = [sys.executable, "-m", "chatgenimage", *map(str, words), "--data-dir", str(partial)]
    subprocess.run(command, check=True)  # noqa: S603  # our own command
    partial.rename(data_dir)
