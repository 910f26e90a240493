"""Reader of Pascal VOC: an XML file of boxes for each image, and lists of the splits."""

from pathlib import Path
from xml.etree import ElementTree as ET

from chatgenimage.factory.errors import BadDataset
from chatgenimage.factory.gain.readers.dataset import Dataset, Entry, check_box, read_lines, size_of
from chatgenimage.factory.gain.values import LabelledImage, LabelledObject


def find_voc(folder: Path) -> Path | None:
    """Return the folder that has `Annotations/`: this one, or `VOCdevkit/VOC2012` in it."""
    for place in (folder, *sorted(folder.glob("VOCdevkit/VOC*")), *sorted(folder.glob("VOC*"))):
        if any(place.glob("Annotations/*.xml")):
            return place
    return None


def read_voc(folder: Path) -> Dataset:
    """Return the images of a Pascal VOC dataset.

    Raises:
        BadDataset: If a file is not VOC's XML, an image is missing or a box broken.
    """
    splits = _read_splits(folder)
    entries: list[Entry] = []
    for path in sorted(folder.glob("Annotations/*.xml")):
        image = _read_image(folder, path)
        found = splits.get(path.stem, []) if splits else [""]
        entries += [Entry(image, split, {"file_name": image.name}) for split in found]
    return Dataset(folder, "Pascal VOC", tuple(entries))


def _read_splits(folder: Path) -> dict[str, list[str]]:
    """Return the splits of each name; `trainval` is left out, it repeats two others."""
    splits: dict[str, list[str]] = {}
    for path in sorted(folder.glob("ImageSets/Main/*.txt")):
        if path.stem in {"train", "val", "test"}:
            for line in read_lines(path):
                if line.strip():
                    splits.setdefault(line.split()[0], []).append(path.stem)
    return splits


def _read_image(folder: Path, path: Path) -> LabelledImage:
    """Return the image of an annotation file, with its objects.

    Raises:
        BadDataset: If the file is not XML, or an image or object cannot be used.
    """
    try:
        root = ET.parse(path).getroot()  # noqa: S314  # expat of today limits entity expansion
    except ET.ParseError as error:
        raise BadDataset(f"{path} cannot be read as XML: {error}") from error
    file = _find_image(folder, root.findtext("filename") or "", path.stem)
    size = size_of(file)
    objects = tuple(
        _to_object(one, size, f"{path}, object {number}")
        for number, one in enumerate(root.iter("object"), start=1)
    )
    return LabelledImage.of_file(file, size, objects)


def _find_image(folder: Path, file_name: str, stem: str) -> Path:
    images = folder / "JPEGImages"
    named = images / Path(file_name).name
    found = [named] if file_name and named.is_file() else sorted(images.glob(f"{stem}.*"))
    if not found:
        raise BadDataset(f"{images} has no image {file_name or stem}, but the labels name it.")
    return found[0]


def _to_object(element: ET.Element, size: tuple[int, int], where: str) -> LabelledObject:
    """Return an object; VOC counts pixels from 1 and includes the last one."""
    label = element.findtext("name")
    try:
        x_min, y_min, x_max, y_max = (
            float(element.findtext(f"bndbox/{side}") or "")
            for side in ("xmin", "ymin", "xmax", "ymax")
        )
    except ValueError:
        raise BadDataset(f"{where}: expected a `bndbox` with four numbers.") from None
    if not label:
        raise BadDataset(f"{where}: expected a `name`.")
    return LabelledObject(label, check_box((x_min - 1, y_min - 1, x_max, y_max), size, where))
