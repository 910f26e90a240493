"""Reading of a dataset whose format is found by its files, for one of three roles."""

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

from chatgenimage.db.states import Verdict
from chatgenimage.factory.errors import BadDataset
from chatgenimage.factory.gain.readers.coco import find_coco, read_coco
from chatgenimage.factory.gain.readers.dataset import SPLITS, Dataset, Entry, list_images
from chatgenimage.factory.gain.readers.domains import with_domains
from chatgenimage.factory.gain.readers.image_folder import read_image_folder
from chatgenimage.factory.gain.readers.voc import find_voc, read_voc
from chatgenimage.factory.gain.readers.yolo import find_yolo, read_yolo
from chatgenimage.factory.gain.values import NO_DOMAIN, LabelledImage, Source

EXPECTED = (
    "Expected COCO (a JSON file, or `annotations/*.json`), YOLO (data.yaml), Pascal VOC "
    "(`Annotations/*.xml`) or a folder with a folder of images for each class."
)


class Role(StrEnum):
    """Use of a dataset; decides which split is taken, if it has several."""

    TRAIN = "train"
    TEST = "test"
    SYNTHETIC = "synthetic"


WANTED_SPLITS: Mapping[Role, tuple[str, ...]] = {
    Role.TRAIN: ("train",),
    Role.TEST: ("test", "val"),
    Role.SYNTHETIC: (),
}
"""In order of preference; if a dataset has none of them, all of it is taken."""


def read_images(path: Path, role: Role, domains_from: str | None = None) -> list[LabelledImage]:
    """Return the images of a dataset for its role.

    Args:
        path: Its folder, a COCO file, or the YAML file of a YOLO dataset.
        role: The use of it.
        domains_from: The column of the domains; see `domains.with_domains`.

    Raises:
        BadDataset: If the format is unknown, there are no images, or a label is broken.
    """
    datasets = _find_datasets(path)
    images = [
        image
        for dataset in datasets
        for image in with_domains(dataset, _choose(dataset.entries, role), domains_from)
    ]
    if not images:
        raise BadDataset(f"{path} has no labelled images. {EXPECTED}")
    if len({one.domain for one in images}) == 1:
        images = [replace(one, domain=NO_DOMAIN) for one in images]
    if role is Role.SYNTHETIC:
        return images
    return [replace(one, source=Source.REAL, is_accepted=True) for one in images]


def _find_datasets(path: Path) -> list[Dataset]:
    """Return a dataset, or several in a folder, each of which is a domain."""
    if not path.exists():
        raise BadDataset(f"{path}: no such file or folder. {EXPECTED}")
    if path.is_file():
        return [_read_file(path)]
    if (known := _find_known(path)) is not None:
        return [known]
    folders = [one for one in sorted(path.iterdir()) if one.is_dir()]
    inner = [(one.name, _find_known(one)) for one in folders if one.name.lower() not in SPLITS]
    found = [_in_domain(name, dataset) for name, dataset in inner if dataset is not None]
    if found:
        return found
    if _is_nested(folders):
        return [_in_domain(one.name, read_image_folder(one)) for one in folders]
    return [_with_sources(read_image_folder(path))]


def _read_file(path: Path) -> Dataset:
    if path.suffix == ".json":
        return _with_sources(read_coco(path.parent, [path]))
    if path.suffix in {".yaml", ".yml"}:
        return read_yolo(path)
    raise BadDataset(f"{path} is not a dataset. {EXPECTED}")


def _find_known(folder: Path) -> Dataset | None:
    """Return the dataset of a folder, None if no file says what it is."""
    if (file := find_yolo(folder)) is not None:
        return read_yolo(file)
    if (place := find_voc(folder)) is not None:
        return read_voc(place)
    if files := find_coco(folder):
        return _with_sources(read_coco(folder, files))
    return None


def _is_nested(folders: list[Path]) -> bool:
    """Return whether folders of classes are in folders of domains: `night/dog/1.png`."""
    named = [one for one in folders if one.name.lower() not in SPLITS and list_images(one)]
    direct = [path for one in named for path in list_images(one) if path.parent == one]
    return bool(named) and len(named) == len(folders) and not direct


def _in_domain(name: str, dataset: Dataset) -> Dataset:
    entries = [
        replace(entry, image=replace(entry.image, domain=name, name=f"{name}/{entry.image.name}"))
        for entry in dataset.entries
    ]
    return replace(dataset, entries=tuple(entries))


def _choose(entries: tuple[Entry, ...], role: Role) -> list[Entry]:
    for wanted in WANTED_SPLITS[role]:
        if some := [one for one in entries if SPLITS.get(one.split.lower()) == wanted]:
            return some
    return list(entries)


def _with_sources(dataset: Dataset) -> Dataset:
    """Return a dataset with the origins and verdicts that an export of the factory records."""
    entries = [replace(entry, image=_with_source(entry)) for entry in dataset.entries]
    return replace(dataset, entries=tuple(entries))


def _with_source(entry: Entry) -> LabelledImage:
    row = entry.row or {}
    origin = str(row.get("origin"))
    known = origin if origin in {"generated", "edited", "filled"} else Source.SYNTHETIC
    is_accepted = row.get("verdict") != Verdict.REJECTED
    return replace(entry.image, source=Source(known), is_accepted=is_accepted)
