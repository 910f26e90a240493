import json

import numpy as np
import pandas as pd
import pytest

from chatgenimage.factory.errors import BadDataset
from chatgenimage.factory.gain.readers.dataset import parse_runs
from chatgenimage.factory.gain.readers.reading import Role, read_images
from chatgenimage.factory.gain.values import Source
from chatgenimage.workers.masks import decode, encode
from tests.factory.gain import pictures
from tests.factory.gain.pictures import SIDE_PX, write_classes, write_coco, write_voc, write_yolo

WRITERS = {"COCO": write_coco, "YOLO": write_yolo, "VOC": write_voc}


def change_json(folder, change):
    """Change the JSON file of a COCO dataset."""
    file = folder / "annotations" / "instances_train.json"
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


@pytest.mark.parametrize("form", WRITERS)
def test_boxes_and_pixels_of_each_format_come_back(form, tmp_path):
    made = pictures.pictures(4)
    found = read_images(WRITERS[form](tmp_path / "set", made), Role.TRAIN)
    assert len(found) == 4
    for ours, theirs in zip(made, sorted(found, key=lambda one: one.name), strict=True):
        assert np.array_equal(theirs.to_rgb(), ours.to_rgb())
        assert [one.label for one in theirs.objects] == [one.label for one in ours.objects]
        np.testing.assert_allclose(
            theirs.objects[0].box_xyxy, ours.objects[0].box_xyxy, atol=SIDE_PX * 1e-6
        )
        assert theirs.source is Source.REAL


def test_a_folder_of_classes_is_read_for_classification(tmp_path):
    found = read_images(write_classes(tmp_path, pictures.pictures(4)), Role.TRAIN)
    assert [image.label for image in found] == ["disc", "disc", "square", "square"]


def test_masks_of_coco_come_back_from_rle_and_from_polygons(tmp_path):
    made = pictures.pictures(2)
    folder = write_coco(tmp_path, made)
    file = folder / "annotations" / "instances_train.json"
    content = json.loads(file.read_text())
    box = made[1].objects[0].box_xyxy
    x_min, y_min, x_max, y_max = box
    content["annotations"][1]["segmentation"] = [
        [x_min, y_min, x_max, y_min, x_max, y_max, x_min, y_max]
    ]
    file.write_text(json.dumps(content))
    for ours, theirs in zip(made, read_images(folder, Role.TRAIN), strict=True):
        assert np.array_equal(decode(theirs.objects[0].rle), decode(ours.objects[0].rle))


def test_runs_of_a_mask_are_those_of_pycocotools():
    mask = np.random.default_rng(0).random((300, 200)) > 0.4
    mask[:, 50:150] = True
    runs = parse_runs(encode(mask)["counts"])
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flat]))), [flat.size]
    assert runs == np.diff(np.concatenate([[0], *edges])).tolist()


def test_each_role_takes_its_split(tmp_path):
    for split, count in (("train", 4), ("val", 3), ("test", 2)):
        write_coco(tmp_path, pictures.pictures(count), split=split)
    counts = {role: len(read_images(tmp_path, role)) for role in Role}
    assert counts == {Role.TRAIN: 4, Role.TEST: 2, Role.SYNTHETIC: 9}


def test_datasets_in_one_folder_are_domains(tmp_path):
    for name in ("day", "night"):
        write_voc(tmp_path / name, pictures.pictures(2), split="test")
    found = read_images(tmp_path, Role.TEST)
    assert [image.domain for image in found] == ["day", "day", "night", "night"]


def test_folders_of_classes_in_folders_are_domains(tmp_path):
    for name in ("day", "night"):
        write_classes(tmp_path / name, pictures.pictures(2))
    found = read_images(tmp_path, Role.TEST)
    assert [(one.domain, one.label) for one in found] == [
        ("day", "disc"),
        ("day", "square"),
        ("night", "disc"),
        ("night", "square"),
    ]


def test_a_field_of_coco_names_the_domain(tmp_path):
    made = pictures.pictures(2)
    write_coco(tmp_path, made, fields=lambda one: {"light": "day" if one == made[0] else "night"})
    found = read_images(tmp_path, Role.TEST, "light")
    assert [image.domain for image in found] == ["day", "night"]
    with pytest.raises(BadDataset, match=r"--domains-from weather: .* has no such value.*light"):
        read_images(tmp_path, Role.TEST, "weather")


@pytest.mark.parametrize("name", ["metadata.csv", "metadata.jsonl", "metadata.parquet"])
def test_a_metadata_file_names_the_domain(tmp_path, name):
    write_yolo(tmp_path, pictures.pictures(2))
    table = pd.DataFrame({"file_name": ["0-0.png", "0-1.png"], "light": ["day", "night"]})
    if name.endswith("jsonl"):
        table.to_json(tmp_path / name, orient="records", lines=True)
    else:
        getattr(table, f"to_{name.rpartition('.')[2]}")(tmp_path / name)
    found = read_images(tmp_path, Role.TEST, "light")
    assert [image.domain for image in found] == ["day", "night"]


def test_an_export_keeps_origin_and_verdict(tmp_path):
    made = pictures.pictures(2)
    write_coco(
        tmp_path,
        made,
        fields=lambda one: {
            "origin": "filled",
            "verdict": "accepted" if one == made[0] else "rejected",
        },
    )
    found = read_images(tmp_path, Role.SYNTHETIC)
    assert [image.source for image in found] == [Source.FILLED] * 2
    assert [image.is_accepted for image in found] == [True, False]


@pytest.mark.parametrize(
    ("box", "problem"),
    [
        ([4, 4, 0, 9], "is empty"),
        ([4, 4, -3, 9], "is empty"),
        ([4, 4, float("nan"), 9], "is empty"),
        ([50, 4, 40, 9], r"is outside of the image, which has 64 x 64 pixels"),
        ([4, 4], "expected a `bbox` of four numbers"),
        (["a", 4, 4, 4], "expected a `bbox` of four numbers"),
    ],
)
def test_a_broken_box_is_refused_with_its_place(box, problem, tmp_path):
    folder = write_coco(tmp_path, pictures.pictures(2))
    change_json(folder, lambda content: content["annotations"][1].update(bbox=box))
    with pytest.raises(BadDataset, match=rf"instances_train.json, annotation 2: .*{problem}"):
        read_images(folder, Role.TRAIN)


@pytest.mark.parametrize(
    ("mask", "problem"),
    [
        ([[1, 2, 30, 40]], "a polygon needs x and y of at least 3 corners; found 4 numbers"),
        ([[1, 2, 3, 4, float("inf"), 6]], "a corner of the polygon is not a finite number"),
        ({"size": [32, 64], "counts": [2048]}, r"has the size \[32, 64\], the image \[64, 64\]"),
        ({"size": [64, 64], "counts": [7]}, "do not sum to its pixels"),
        ({"size": [64, 64], "counts": "zzzz"}, "do not sum to its pixels"),
        ({"size": [64, 64], "counts": "0"}, "do not sum to its pixels"),
    ],
)
def test_a_broken_mask_is_refused_with_its_place(mask, problem, tmp_path):
    folder = write_coco(tmp_path, pictures.pictures(2))
    change_json(folder, lambda content: content["annotations"][1].update(segmentation=mask))
    with pytest.raises(BadDataset, match=rf"annotation 2: .*{problem}"):
        read_images(folder, Role.TRAIN)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content["images"][0].pop("file_name"),
        lambda content: content["annotations"][0].pop("image_id"),
        lambda content: content["categories"].insert(0, "dog"),
        lambda content: content.update(images=7),
    ],
)
def test_entries_that_are_not_cocos_are_refused(change, tmp_path):
    folder = write_coco(tmp_path, pictures.pictures(2))
    change_json(folder, change)
    with pytest.raises(BadDataset, match=r"instances_train.json: an entry is not as COCO has it"):
        read_images(folder, Role.TRAIN)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("0 0.5 0.5 0.2", "found 3 numbers"),
        ("0 0.1 0.1 0.9 0.1 nan 0.9", "is not a finite number"),
        ("7 0.5 0.5 0.2 0.2", "the class 7 is not in `names`"),
        ("disc 0.5 0.5 0.2 0.2", "expected numbers"),
        ("0 0.9 0.5 0.6 0.2", "is outside of the image"),
    ],
)
def test_a_broken_line_of_yolo_is_refused_with_its_place(line, problem, tmp_path):
    folder = write_yolo(tmp_path, pictures.pictures(2))
    (folder / "labels" / "train" / "0-1.txt").write_text(line)
    with pytest.raises(BadDataset, match=rf"0-1.txt, line 1: .*{problem}"):
        read_images(folder, Role.TRAIN)


def test_a_missing_image_and_a_file_that_is_no_image_are_refused(tmp_path):
    folder = write_coco(tmp_path, pictures.pictures(2))
    image = folder / "images" / "train" / "0-1.png"
    image.write_bytes(b"no image")
    with pytest.raises(BadDataset, match=r"0-1.png is not an image that can be read"):
        read_images(folder, Role.TRAIN)
    image.unlink()
    with pytest.raises(BadDataset, match=r"the image 0-1.png was not found"):
        read_images(folder, Role.TRAIN)


def test_another_size_than_the_labels_are_for_is_refused(tmp_path):
    folder = write_coco(tmp_path, pictures.pictures(2), fields=lambda _: {"width": 640})
    with pytest.raises(BadDataset, match=r"has 64 x 64 pixels, but the labels are for 640 x 64"):
        read_images(folder, Role.TRAIN)


def test_a_place_without_a_dataset_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    for path in (tmp_path, tmp_path / "notes.txt", tmp_path / "missing"):
        with pytest.raises(BadDataset, match="Expected COCO"):
            read_images(path, Role.TEST)
