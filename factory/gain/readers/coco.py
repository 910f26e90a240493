"""Reader of COCO: a JSON file for each split, with boxes, and masks as polygons or RLE."""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pycocotools import mask as coco_mask

from chatgenimage.factory.errors import BadDataset
from chatgenimage.factory.gain.readers.dataset import (
    SPLITS,
    Dataset,
    Entry,
    check_box,
    check_polygon,
    parse_runs,
    size_of,
)
from chatgenimage.factory.gain.values import LabelledImage, LabelledObject
from chatgenimage.workers.masks import Rle

KEYS = ("images", "annotations", "categories")


def find_coco(folder: Path) -> list[Path]:
    """Return the COCO files of a folder: in `annotations/`, or one in each split's folder."""
    inside = [path for path in folder.glob("*/*.json") if path.parent.name.lower() in SPLITS]
    places = {*folder.glob("annotations/*.json"), *folder.glob("*.json"), *inside}
    return sorted(path for path in places if _is_coco(path))


def read_coco(root: Path, files: list[Path]) -> Dataset:
    """Return the images of COCO files.

    Args:
        root: Folder of the dataset, in which image files are looked for.
        files: From `find_coco`, or one that a person named.

    Raises:
        BadDataset: If a file is not COCO, an image is missing, or a box is broken.
    """
    return Dataset(root, "COCO", tuple(entry for file in files for entry in _read(root, file)))


def _is_coco(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            start = file.read(1 << 20)
        known = json.loads(start) if len(start) < 1 << 20 else None
    except (OSError, ValueError):
        return False
    if known is None:  # a large file: its keys may come late
        return path.parent.name == "annotations" or b'"categories"' in start
    return isinstance(known, dict) and all(key in known for key in KEYS)


def _read(root: Path, path: Path) -> Iterator[Entry]:
    content = _load(path)
    try:
        yield from _read_content(root, path, content)
    except (AttributeError, KeyError, TypeError) as error:
        raise BadDataset(
            f"{path}: an entry is not as COCO has it: {type(error).__name__} {error}."
        ) from error


def _read_content(root: Path, path: Path, content: dict[str, Any]) -> Iterator[Entry]:
    """Yield the images of a COCO file with their objects; crowds are left out.

    Raises:
        BadDataset: If an image or an annotation cannot be used.
    """
    names = {one["id"]: str(one["name"]) for one in content["categories"]}
    objects: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for one in content["annotations"]:
        if not one.get("iscrowd"):  # a crowd is not one object
            objects[one["image_id"]].append(one)
    split = _split_of(path)
    for known in content["images"]:
        file = _find_image(root, path, str(known["file_name"]), split)
        size = size_of(file)
        if size != (declared := (known.get("width", size[0]), known.get("height", size[1]))):
            raise BadDataset(
                f"{path}: the image {known['file_name']} has {size[0]} x {size[1]} pixels, "
                f"but the labels are for {declared[0]} x {declared[1]}."
            )
        found = tuple(_to_object(one, names, size, path) for one in objects[known["id"]])
        name = f"{path.name}: {known['file_name']}"
        yield Entry(LabelledImage.of_file(file, size, found, name=name), split, known)


def _load(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadDataset(f"{path} cannot be read as JSON: {error}") from error
    missing = [key for key in KEYS if not isinstance(content, dict) or key not in content]
    if missing:
        raise BadDataset(f"{path} has no {', '.join(missing)}; expected a COCO file.")
    return dict(content)


def _to_object(
    one: dict[str, Any], names: dict[Any, str], size: tuple[int, int], path: Path
) -> LabelledObject:
    """Return the object of an annotation.

    Raises:
        BadDataset: If its category, box or mask cannot be used.
    """
    where = f"{path}, annotation {one.get('id')}"
    if one.get("category_id") not in names:
        raise BadDataset(f"{where}: the category {one.get('category_id')} is not in `categories`.")
    try:
        x, y, width, height = (float(value) for value in one["bbox"])
    except (KeyError, TypeError, ValueError):
        raise BadDataset(f"{where}: expected a `bbox` of four numbers.") from None
    box = check_box((x, y, x + width, y + height), size, where)
    return LabelledObject(names[one["category_id"]], box, _mask_of(one, size, where))


def _mask_of(one: dict[str, Any], size: tuple[int, int], where: str) -> Rle | None:
    """Return the mask; polygons are drawn by pycocotools."""
    shape, size_hw = one.get("segmentation"), [size[1], size[0]]
    if not shape:
        return None
    if isinstance(shape, list):
        polygons = [check_polygon([float(x) for x in polygon], where) for polygon in shape]
        encoded = coco_mask.merge(coco_mask.frPyObjects(polygons, *size_hw))
    else:
        if list(shape["size"]) != size_hw:
            raise BadDataset(
                f"{where}: the mask has the size {shape['size']}, the image {size_hw} "
                "(height, width)."
            )
        counts = shape["counts"]
        runs = parse_runs(counts) if isinstance(counts, str) else counts
        if sum(runs) != size[0] * size[1] or min(runs) < 0:
            raise BadDataset(f"{where}: the counts of the mask do not sum to its pixels.")
        if isinstance(counts, str):
            return Rle(size=size_hw, counts=counts)
        encoded = coco_mask.frPyObjects(shape, *size_hw)
    return Rle(size=size_hw, counts=encoded["counts"].decode("ascii"))


def _split_of(path: Path) -> str:
    """Return the split that a file's name or folder names, e.g. "instances_val2017.json"."""
    stem = path.stem.removeprefix("instances_")
    for name in (stem, stem.rstrip("0123456789"), path.parent.name):
        if name.lower() in SPLITS:
            return name
    return stem


def _find_image(root: Path, path: Path, file_name: str, split: str) -> Path:
    """Return the file of an image, in any of the places where COCO datasets keep them.

    Raises:
        BadDataset: If it is in none of them.
    """
    places = [
        *(path.parent / one for one in ("", "data", "images", f"images/{split}")),
        *(root / one for one in (f"images/{split}", "images", split, "", f"{split}/data")),
        *(root / one for one in (path.stem.removeprefix("instances_"),)),
        path.parent.parent / "images",
    ]
    for place in places:
        if (found := place / file_name).is_file():
            return found
    raise BadDataset(
        f"{path}: the image {file_name} was not found; it was looked for in "
        f"{root}/images/{split}, {path.parent} and the folders near them."
    )
