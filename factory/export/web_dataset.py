"""WebDataset: tar files of samples, for streaming during training."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chatgenimage.factory.export.base import Format, Plan, objects_in_columns
from chatgenimage.factory.export.folder import Folder
from chatgenimage.factory.export.records import (
    INTEGER,
    NO_CLASS_ID,
    RECORD,
    SIZE,
    TEXT,
    describe_columns,
)
from chatgenimage.factory.export.sample import Sample
from chatgenimage.factory.export.shards import Shards


class TarShard:
    """One tar file; each sample has `.png`, `.json`, `.txt` (caption) and `.cls` (class id)."""

    def __init__(self, path: Path, class_ids: dict[str, int]) -> None:
        from webdataset import TarWriter

        self._class_ids = class_ids
        # Without the time of writing: equal rows give equal files.
        self._tar = TarWriter(str(path), encoder=True, compress=False, mtime=0)

    def add(self, sample: Sample) -> None:
        """Write one sample."""
        self._tar.write(
            {
                "__key__": sample.name,
                "png": sample.read_png(),
                "json": _known(sample),
                "txt": sample.candidate.caption or "",
                "cls": self._class_ids.get(sample.label, NO_CLASS_ID),
            }
        )

    def close(self) -> None:
        """End the file."""
        self._tar.close()


def _open(folder: Folder, plan: Plan) -> Shards:
    class_ids = plan.class_ids()
    return Shards(folder, plan.counts, _shard_name, lambda path: TarShard(path, class_ids))


def _shard_name(split: str, number: int, _total: int) -> str:
    return f"{split}-{number:06d}.tar"


def _known(sample: Sample) -> dict[str, Any]:
    width, height = sample.size_wh
    return {
        **sample.metadata,
        "width": width,
        "height": height,
        "objects": objects_in_columns(sample.objects),
    }


def _hub(plan: Plan) -> Mapping[str, Any]:
    """Return the settings by which `datasets` reads the shards."""
    # `datasets` infers types from the first five samples of a file if they are not stated here.
    files = [{"split": split, "path": f"{split}-*.tar"} for split in plan.counts]
    features = [
        {"name": "png", "dtype": "image"},
        {"name": "json", "struct": describe_columns(RECORD, SIZE)},
        {"name": "txt", "dtype": TEXT},
        {"name": "cls", "dtype": INTEGER},
        {"name": "__key__", "dtype": TEXT},
        {"name": "__url__", "dtype": TEXT},
    ]
    return {
        "task_categories": ["object-detection"],
        "configs": [{"config_name": "default", "data_files": files}],
        "dataset_info": {"features": features},
    }


WEBDATASET = Format(
    name="webdataset",
    title="WebDataset shards",
    open=_open,
    modules=("webdataset",),
    hub=_hub,
    reading="""\
import webdataset
dataset = webdataset.WebDataset("{out}/{split}-000000.tar", shardshuffle=False).decode("pil")""",
)
