"""Helpers for the tests of `factory gain`: pictures of discs and squares, and datasets of them."""

import io
import json
from dataclasses import replace

import numpy as np
import yaml
from PIL import Image, ImageDraw

from chatgenimage.factory.gain.values import LabelledImage, LabelledObject
from chatgenimage.workers.masks import encode

SIDE_PX = 64
SIZE = (SIDE_PX, SIDE_PX)
CLASSES = ("disc", "square")


def picture(number, *, seed=0, **changes):
    """Return a picture of one disc or square on noise, with box, mask and class."""
    generator = np.random.default_rng((seed, number))
    label = CLASSES[number % 2]
    side = int(generator.integers(16, 32))
    x, y = (int(value) for value in generator.integers(0, SIDE_PX - side, 2))
    coarse = generator.integers(0, 120, (8, 8, 3), np.uint8)
    image = Image.fromarray(coarse).resize(SIZE, Image.Resampling.BICUBIC)
    mask = Image.new("1", SIZE)
    colour = tuple(int(value) for value in generator.integers(130, 256, 3))
    for canvas, fill in ((image, colour), (mask, 1)):
        draw = ImageDraw.Draw(canvas)
        shape = draw.ellipse if label == "disc" else draw.rectangle
        shape((x, y, x + side - 1, y + side - 1), fill=fill)
    known = LabelledObject(label, (x, y, x + side, y + side), encode(np.array(mask)))
    made = LabelledImage.of_bytes(f"{seed}-{number}.png", to_png(image), SIZE, [known], label)
    return replace(made, **changes)


def pictures(count, *, seed=0, **changes):
    """Return several pictures; half of them are discs."""
    return [picture(number, seed=seed, **changes) for number in range(count)]


def to_png(image):
    """Return an image as the bytes of a PNG."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def write_coco(folder, images, *, split="train", fields=None):
    """Write pictures as a split of a COCO dataset; `fields` are further keys of each image."""
    annotations = []
    for number, image in enumerate(images, start=1):
        _put_image(folder / "images" / split, image)
        for known in image.objects:
            x_min, y_min, x_max, y_max = known.box_xyxy
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": 1 + CLASSES.index(known.label),
                    "bbox": [x_min, y_min, x_max - x_min, y_max - y_min],
                    "area": (x_max - x_min) * (y_max - y_min),
                    "iscrowd": 0,
                }
                | ({} if known.rle is None else {"segmentation": dict(known.rle)})
            )
    content = {
        "images": [
            {"id": number, "file_name": image.name, "width": SIDE_PX, "height": SIDE_PX}
            | (fields(image) if fields else {})
            for number, image in enumerate(images, start=1)
        ],
        "annotations": annotations,
        "categories": [{"id": 1 + index, "name": name} for index, name in enumerate(CLASSES)],
    }
    file = folder / "annotations" / f"instances_{split}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content), encoding="utf-8")
    return folder


def write_yolo(folder, images, *, split="train"):
    """Write pictures as a split of a YOLO dataset."""
    labels = folder / "labels" / split
    labels.mkdir(parents=True)
    for image in images:
        _put_image(folder / "images" / split, image)
        lines = [_yolo_line(known) for known in image.objects]
        (labels / image.name).with_suffix(".txt").write_text("".join(lines), encoding="utf-8")
    content = {split: f"images/{split}", "names": dict(enumerate(CLASSES))}
    (folder / "data.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return folder


def write_voc(folder, images, *, split="train"):
    """Write pictures as a split of a Pascal VOC dataset."""
    (folder / "Annotations").mkdir(parents=True)
    (folder / "ImageSets" / "Main").mkdir(parents=True)
    for image in images:
        _put_image(folder / "JPEGImages", image)
        (known,) = image.objects
        x_min, y_min, x_max, y_max = known.box_xyxy
        (folder / "Annotations" / image.name).with_suffix(".xml").write_text(
            f"<annotation><filename>{image.name}</filename><object><name>{known.label}</name>"
            f"<bndbox><xmin>{x_min + 1}</xmin><ymin>{y_min + 1}</ymin><xmax>{x_max}</xmax>"
            f"<ymax>{y_max}</ymax></bndbox></object></annotation>",
            encoding="utf-8",
        )
    names = "".join(f"{image.name.removesuffix('.png')}\n" for image in images)
    (folder / "ImageSets" / "Main" / f"{split}.txt").write_text(names, encoding="utf-8")
    return folder


def write_classes(folder, images):
    """Write pictures as a folder with a folder for each class."""
    for image in images:
        _put_image(folder / image.label, image)
    return folder


def _put_image(folder, image):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / image.name).write_bytes(image.read())


def _yolo_line(known):
    x_min, y_min, x_max, y_max = (side / SIDE_PX for side in known.box_xyxy)
    numbers = ((x_min + x_max) / 2, (y_min + y_max) / 2, x_max - x_min, y_max - y_min)
    return f"{CLASSES.index(known.label)} {' '.join(f'{one:.6f}' for one in numbers)}\n"
