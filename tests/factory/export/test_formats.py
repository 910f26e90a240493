"""Formats read by third-party libraries: the result equals the database."""

import json
from pathlib import Path

import numpy as np
import pytest

from chatgenimage.db.states import Origin
from tests import rows
from tests.factory import exports
from tests.factory.exports import export_as, known_candidates


def with_a_hole(box):
    """Return a mask: a circle with a hole and a bar in the hole, and a separate part."""
    x_min, y_min, x_max, y_max = (int(side) for side in box)
    mask = np.zeros((rows.SIZE_PX, rows.SIZE_PX), dtype=bool)
    mask[y_min:y_max, x_min:x_max] = True
    mask[y_min + 4 : y_max - 4, x_min + 4 : x_max - 4] = False
    mask[y_min + 8 : y_max - 8, x_min + 9 : x_max - 9] = True
    mask[60:63, 60:64] = True
    return mask


@pytest.fixture(params=["sqlite", "postgres"])
def place(request):
    return request.getfixturevalue(f"{request.param}_place")


@pytest.fixture
def shapes_place(filled_place):
    """The filled database with one more image, whose mask has holes and parts."""
    with filled_place.sessions.begin() as session:
        batch = rows.batch_of(session, rows.add_run(session, ("ring",)))
        candidate = rows.add_candidate(filled_place, session, batch)
        mask, box = with_a_hole((4.0, 6.0, 34.0, 40.0)), (4.0, 6.0, 64.0, 63.0)
        candidate.annotations.append(rows.annotation("ring", box, mask))
    return filled_place


def assert_same_objects(read, known, *, most_px=1.0, least_iou=None):
    """Compare objects: labels exact, boxes within a pixel, masks with at least the given IoU."""
    pairs = zip(exports.by_label(read), exports.by_label(known), strict=True)
    for (label, box, mask), (true_label, true_box, true_mask) in pairs:
        assert label == true_label
        np.testing.assert_allclose(box, true_box, atol=most_px)
        if least_iou is not None:
            assert exports.iou(np.asarray(mask, dtype=bool), true_mask) >= least_iou


def to_xyxy(box_xywh):
    x, y, width, height = box_xywh
    return np.array([x, y, x + width, y + height])


def objects_of_columns(objects, name_of=lambda category: category):
    """Return objects in the form of the hub's tools."""
    from chatgenimage.workers import masks

    columns = zip(objects["category"], objects["bbox"], objects["segmentation"], strict=True)
    return [(name_of(c), to_xyxy(b), masks.decode(m)) for c, b, m in columns]


@pytest.mark.parametrize("masks", ["rle", "polygons"])
def test_pycocotools_reads_coco_exactly(shapes_place, out, masks):
    export_as(shapes_place, "coco", out, masks=masks)
    coco = exports.read_coco(out / "annotations" / "instances_train.json")
    known = known_candidates(shapes_place)
    assert len(coco.imgs) == len(known)
    for image in coco.imgs.values():
        truth = known[Path(image["file_name"]).stem]
        annotations = coco.imgToAnns[image["id"]]
        read = [
            (coco.cats[a["category_id"]]["name"], to_xyxy(a["bbox"]), coco.annToMask(a))
            for a in annotations
        ]
        assert_same_objects(read, truth.objects, most_px=0, least_iou=1.0)
        areas = [np.count_nonzero(mask) for _, _, mask in truth.objects]
        assert [a["area"] for a in annotations] == areas
        assert {a["iscrowd"] for a in annotations} <= {0}
        pixels = exports.open_pixels(out / "images" / "train" / image["file_name"])
        np.testing.assert_array_equal(pixels, truth.pixels)


@pytest.mark.parametrize("masks", ["rle", "polygons"])
def test_supervision_reads_coco(shapes_place, out, masks):
    export_as(shapes_place, "coco", out, masks=masks)
    dataset = exports.supervision().DetectionDataset.from_coco(
        str(out / "images" / "train"),
        str(out / "annotations" / "instances_train.json"),
        force_masks=True,
    )
    known = known_candidates(shapes_place)
    assert len(dataset) == len(known)
    for path, _, detections in dataset:
        read = exports.objects_of(detections, dataset.classes)
        # It includes a polygon's lower and right edge; pycocotools does not.
        least_iou = 1.0 if masks == "rle" else 0.7
        assert_same_objects(read, known[Path(path).stem].objects, least_iou=least_iou)


@pytest.mark.parametrize(("name", "least_iou"), [("yolo-detect", None), ("yolo-segment", 0.7)])
def test_supervision_reads_yolo(shapes_place, out, name, least_iou):
    export_as(shapes_place, name, out, splits="train=1")
    dataset = exports.supervision().DetectionDataset.from_yolo(
        str(out / "images" / "train"),
        str(out / "labels" / "train"),
        str(out / "data.yaml"),
        force_masks=least_iou is not None,
    )
    known = known_candidates(shapes_place)
    assert len(dataset) == len(known)
    for path, _, detections in dataset:
        truth = known[Path(path).stem].objects
        read = exports.objects_of(detections, dataset.classes)
        if name == "yolo-segment":  # the box is computed from the polygon
            truth = [(label, find_box(mask), mask) for label, _, mask in truth]
        assert_same_objects(read, truth, least_iou=least_iou)


def find_box(mask):
    from chatgenimage.workers import masks

    return np.array(masks.find_box(mask))


def test_supervision_reads_voc(shapes_place, out):
    export_as(shapes_place, "voc", out)
    dataset = exports.supervision().DetectionDataset.from_pascal_voc(
        str(out / "JPEGImages"), str(out / "Annotations")
    )
    known = known_candidates(shapes_place)
    for path, _, detections in dataset:
        read = exports.objects_of(detections, dataset.classes)
        assert_same_objects(read, known[Path(path).stem].objects)
    listed = (out / "ImageSets" / "Main" / "train.txt").read_text().split()
    assert sorted(listed) == sorted(known)


@pytest.mark.models
def test_torchvision_reads_the_image_folder(shapes_place, out):
    from torchvision.datasets import ImageFolder

    export_as(shapes_place, "imagefolder", out)
    dataset = ImageFolder(str(out / "train"))
    known = known_candidates(shapes_place)
    assert len(dataset) == len(known)
    for (image, class_id), (path, _) in zip(dataset, dataset.samples, strict=True):
        truth = known[Path(path).stem]
        assert dataset.classes[class_id] == truth.label
        np.testing.assert_array_equal(exports.pixels_of(image), truth.pixels)


@pytest.mark.models
def test_the_hub_s_tools_read_the_image_folder(shapes_place, out, load_dataset):
    done = export_as(shapes_place, "imagefolder", out, splits=exports.HALVES)
    dataset = load_dataset(out)
    assert {split: len(part) for split, part in dataset.items()} == done.splits
    known = {truth.id: truth for truth in known_candidates(shapes_place).values()}
    for row in (row for part in dataset.values() for row in part):
        truth = known[row["candidate_id"]]
        assert (row["label"], row["caption"]) == (truth.label, truth.caption)
        np.testing.assert_array_equal(exports.pixels_of(row["image"]), truth.pixels)
        read = objects_of_columns(row["objects"])
        assert_same_objects(read, truth.objects, most_px=1e-3, least_iou=1.0)


@pytest.mark.models
def test_the_hub_s_tools_read_parquet(shapes_place, out, load_dataset):
    done = export_as(shapes_place, "parquet", out, splits=exports.HALVES)
    dataset = load_dataset(out)
    assert {split: len(part) for split, part in dataset.items()} == done.splits
    known = {truth.id: truth for truth in known_candidates(shapes_place).values()}
    names = json.loads((out / "export.json").read_text("utf-8"))["class_names"]
    for part in dataset.values():
        label = part.features["label"]
        assert label.names == names
        for row in part:
            truth = known[row["candidate_id"]]
            assert label.int2str(row["label"]) == truth.label
            assert row["caption"] == truth.caption
            np.testing.assert_array_equal(exports.pixels_of(row["image"]), truth.pixels)
            read = objects_of_columns(row["objects"], label.int2str)
            assert_same_objects(read, truth.objects, most_px=1e-3, least_iou=1.0)


@pytest.mark.models
@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # it leaves files open
def test_webdataset_reads_its_shards(shapes_place, out):
    import webdataset

    export_as(shapes_place, "webdataset", out)
    classes = (out / "classes.txt").read_text().splitlines()
    shards = str(out / "train-000000.tar")
    dataset = webdataset.WebDataset(shards, shardshuffle=False).decode("rgb8")
    known = known_candidates(shapes_place)
    samples = list(dataset)
    assert sorted(sample["__key__"] for sample in samples) == sorted(known)
    for sample in samples:
        truth = known[sample["__key__"]]
        assert (classes[sample["cls"]], sample["txt"]) == (truth.label, truth.caption)
        np.testing.assert_array_equal(sample["png"], truth.pixels)
        read = objects_of_columns(sample["json"]["objects"])
        assert_same_objects(read, truth.objects, most_px=0, least_iou=1.0)


@pytest.mark.models
def test_the_hub_s_tools_read_triplets_in_the_columns_of_instruct_pix2pix(
    filled_place, out, load_dataset
):
    done = export_as(filled_place, "triplets", out)
    assert done.images == 4  # an edit and a fill of each of two
    known = {truth.id: truth for truth in known_candidates(filled_place).values()}
    dataset = load_dataset(out, split="train")
    for row in dataset:
        np.testing.assert_array_equal(
            exports.pixels_of(row["input_image"]), known[row["parent_id"]].pixels
        )
        np.testing.assert_array_equal(
            exports.pixels_of(row["edited_image"]), known[row["candidate_id"]].pixels
        )
    told = {row["origin"]: row["edit_prompt"] for row in dataset if row["label"] == "dog"}
    assert told == {
        Origin.EDITED: "change the background to a beach",
        Origin.FILLED: "add a tree next to the dog",
    }


HOSTILE = (
    "../..",
    "<script>alert(1)</script>",
    "new\nline",
    "🐶",
    "犬" * 200,
    "Dog",
    "dog",
    "con",
    'a|b`c"d&',
    "犬",
)


@pytest.fixture
def hostile_place(place):
    """An initial image and an edit for each hostile label."""
    with place.sessions.begin() as session:
        run = rows.add_run(session, HOSTILE)
        for batch in rows.batches_of(session, run):
            label = batch.label.name
            objects = [(label, "red", rows.DOG_BOX)]
            root = rows.add_candidate(place, session, batch, objects)
            rows.add_candidate(
                place, session, batch, objects, parent=root, origin=Origin.EDITED, caption=label
            )
    return place


@pytest.mark.models
@pytest.mark.parametrize("name", ["imagefolder", "label-studio", "voc", "webdataset"])
def test_hostile_labels_make_no_hostile_files(hostile_place, out, name):
    export_as(hostile_place, name, out, splits=exports.HALVES)
    assert [path.name for path in out.parent.iterdir()] == ["dataset"]
    files = exports.files_in(out)
    parts = {part for file in files for part in Path(file).parts}
    assert all(part.replace("犬", "x").isascii() for part in parts)
    assert all(len(part.encode()) <= 255 for part in parts)
    assert len({file.casefold() for file in files}) == len(files)
    card = (out / "README.md").read_text("utf-8")
    assert "<script>" not in card
    assert "## How to read it" in card


@pytest.mark.models
def test_hostile_labels_come_back(hostile_place, out, load_dataset):
    export_as(hostile_place, "coco", out / "coco")
    coco = exports.read_coco(out / "coco" / "annotations" / "instances_train.json")
    assert {category["name"] for category in coco.cats.values()} == set(HOSTILE)
    export_as(hostile_place, "parquet", out / "parquet")
    part = load_dataset(out / "parquet", split="train")
    assert {part.features["label"].int2str(row["label"]) for row in part} == set(HOSTILE)
    export_as(hostile_place, "imagefolder", out / "folder")
    part = load_dataset(out / "folder", split="train")
    assert {row["label"] for row in part} == set(HOSTILE)
    export_as(hostile_place, "yolo-detect", out / "yolo", splits="train=1")
    dataset = exports.supervision().DetectionDataset.from_yolo(
        *(str(out / "yolo" / place) for place in ("images/train", "labels/train", "data.yaml"))
    )
    assert set(dataset.classes) == set(HOSTILE)
    export_as(hostile_place, "voc", out / "voc")
    dataset = exports.supervision().DetectionDataset.from_pascal_voc(
        str(out / "voc" / "JPEGImages"), str(out / "voc" / "Annotations")
    )
    assert set(dataset.classes) == set(HOSTILE)
