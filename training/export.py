"""Export of checkpoints in half precision, written to a new folder that is then renamed."""

import copy
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

M = TypeVar("M", bound=nn.Module)


@contextmanager
def exporting(folder: Path) -> Iterator[Path]:
    """Yield an empty folder; it replaces `folder` if no error is raised."""
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    retired = folder.with_name(f".{folder.name}.{os.getpid()}.retired")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        _forget_where_it_was_made(partial)
        if folder.exists():
            folder.rename(retired)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(retired, ignore_errors=True)


def _forget_where_it_was_made(folder: Path) -> None:
    """Remove this machine's paths, which diffusers writes into its settings."""
    for path in folder.rglob("config.json"):
        settings = json.loads(path.read_text(encoding="utf-8"))
        if settings.pop("_name_or_path", None):
            path.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def to_half(model: M) -> M:
    """Return a copy in float16."""
    return copy.deepcopy(model).to(dtype=torch.float16).eval()
