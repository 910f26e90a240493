"""Reader of YOLO: data.yaml, `images/` and `labels/` with a text file for each image."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pycocotools import mask as coco_mask

from chatgenimage.factory.errors import BadDataset
from chatgenimage.factory.gain.readers.dataset import (
    SPLITS,
    Dataset,
    Entry,
    check_box,
    check_polygon,
    list_images,
    read_lines,
    size_of,
)
from chatgenimage.factory.gain.values import LabelledImage, LabelledObject
from chatgenimage.workers.masks import Rle

BOX_NUMBERS = 4


def find_yolo(folder: Path) -> Path | None:
    """Return the YAML file of a YOLO dataset, or None if the folder has none."""
    for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        if "names" in (_load(path) or {}):
            return path
    return None


def read_yolo(path: Path) -> Dataset:
    """Return the images of a YOLO dataset.

    Args:
        path: Its YAML file.

    Raises:
        BadDataset: If a label is malformed, an image unreadable or a box broken.
    """
    known = _load(path)
    if not known or "names" not in known:
        raise BadDataset(f"{path} has no `names`; expected the data.yaml of a YOLO dataset.")
    names = known["names"]
    try:
        classes = {int(key): str(name) for key, name in _items(names)}
    except (TypeError, ValueError):
        raise BadDataset(f"{path}: expected `names` as a list, or as numbers with names.") from None
    root = path.parent / str(known.get("path", ""))
    root = root if root.is_dir() else path.parent
    entries = [
        entry
        for split, places in known.items()
        if split in SPLITS and places
        for place in (places if isinstance(places, list) else [places])
        for entry in _read_split(root, str(place), split, classes)
    ]
    return Dataset(path.parent, "YOLO", tuple(entries))


def _items(names: Any) -> list[tuple[Any, Any]]:  # noqa: ANN401  # a list or a dict, as written
    return list(names.items()) if isinstance(names, dict) else list(enumerate(names))


def _load(path: Path) -> dict[str, Any] | None:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise BadDataset(f"{path} cannot be read as YAML: {error}") from error
    return content if isinstance(content, dict) else None


def _read_split(root: Path, place: str, split: str, classes: dict[int, str]) -> Iterator[Entry]:
    """Yield the images of a split: of a folder, or those that a text file lists.

    Raises:
        BadDataset: If neither exists, or a label cannot be used.
    """
    folder = root / place
    if not folder.exists():  # Roboflow writes "../train/images" for a folder next to data.yaml
        folder = root / place.removeprefix("../")
    if folder.is_file() and folder.suffix == ".txt":
        images = [root / line.strip() for line in read_lines(folder) if line.strip()]
    elif folder.is_dir():
        images = list_images(folder)
    else:
        raise BadDataset(f"{folder}: no such folder, but data.yaml names it as {split}.")
    for image in images:
        size = size_of(image)
        objects = tuple(_read_labels(_labels_of(image), size, classes))
        name = str(image.relative_to(folder) if folder.is_dir() else image.name)
        labelled = LabelledImage.of_file(image, size, objects, name=f"{split}: {name}")
        yield Entry(labelled, split, {"file_name": name})


def _labels_of(image: Path) -> Path:
    """Return the label file: the last folder `images` of the path is called `labels`."""
    parts = list(image.parts)
    for index in range(len(parts) - 2, -1, -1):
        if parts[index] == "images":
            parts[index] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


def _read_labels(
    path: Path, size: tuple[int, int], classes: dict[int, str]
) -> Iterator[LabelledObject]:
    if not path.is_file():  # an image without objects needs no file
        return
    for number, line in enumerate(read_lines(path), start=1):
        if line.strip():
            yield _to_object(line, f"{path}, line {number}", size, classes)


def _to_object(
    line: str, where: str, size: tuple[int, int], classes: dict[int, str]
) -> LabelledObject:
    """Return the object of a line: a class number, then a box or a polygon in shares of the sides.

    Raises:
        BadDataset: If it is malformed, or `names` lacks the class.
    """
    try:
        first, *shares = line.split()
        class_id, numbers = int(first), [float(share) for share in shares]
    except ValueError:
        raise BadDataset(f"{where}: expected numbers, found {line!r}.") from None
    if class_id not in classes:
        raise BadDataset(f"{where}: the class {class_id} is not in `names` of data.yaml.")
    if len(numbers) == BOX_NUMBERS:
        x, y, width, height = numbers
        shape = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        return LabelledObject(classes[class_id], _to_box(shape, size, where))
    check_polygon(numbers, where)
    xs, ys = numbers[::2], numbers[1::2]
    box = _to_box((min(xs), min(ys), max(xs), max(ys)), size, where)
    return LabelledObject(classes[class_id], box, _to_mask(numbers, size))


def _to_box(
    shares: tuple[float, float, float, float], size: tuple[int, int], where: str
) -> tuple[float, float, float, float]:
    x_min, y_min, x_max, y_max = shares
    width, height = size
    return check_box((x_min * width, y_min * height, x_max * width, y_max * height), size, where)


def _to_mask(shares: list[float], size: tuple[int, int]) -> Rle:
    corners = [share * size[index % 2] for index, share in enumerate(shares)]
    (encoded,) = coco_mask.frPyObjects([corners], size[1], size[0])
    return Rle(size=[*map(int, encoded["size"])], counts=encoded["counts"].decode("ascii"))
