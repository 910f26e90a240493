"""Reader of a folder of classes: `CLASS/` or `SPLIT/CLASS/`, for classification."""

from collections.abc import Iterator
from pathlib import Path

from chatgenimage.factory.gain.readers.dataset import SPLITS, Dataset, Entry, list_images, size_of
from chatgenimage.factory.gain.readers.metadata import read_metadata
from chatgenimage.factory.gain.values import LabelledImage


def read_image_folder(folder: Path) -> Dataset:
    """Return the images of a folder of classes.

    Raises:
        BadDataset: If a file cannot be read as an image.
    """
    splits = [one for one in _folders(folder) if one.name.lower() in SPLITS]
    if splits:
        entries = [entry for one in splits for entry in _read_classes(one, one.name)]
    else:
        entries = [*_read_classes(folder, "")]
    return Dataset(folder, "image folder", tuple(entries))


def _read_classes(folder: Path, split: str) -> Iterator[Entry]:
    table = read_metadata(folder)
    for place in _folders(folder):
        for path in list_images(place):
            name = str(path.relative_to(folder))
            image = LabelledImage.of_file(path, size_of(path), label=place.name, name=name)
            yield Entry(image, split, {"file_name": name, **table.get(name, {})})


def _folders(folder: Path) -> list[Path]:
    return sorted(one for one in folder.iterdir() if one.is_dir() and not one.name.startswith("."))
