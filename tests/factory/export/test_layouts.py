"""Layouts of trainers: the files and names that each of them looks for."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import yaml
from PIL import Image

from chatgenimage.factory.errors import SettingsError, SplitsIncomplete
from tests import rows
from tests.factory import exports
from tests.factory.exports import export_as

THREE = "train=0.6,valid=0.2,test=0.2"
VAL_IS_VALID = "train=0.7,valid=0.3"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "dataset"


@pytest.fixture
def families_place(place):
    """A database with three families of each of two labels."""
    with place.sessions.begin() as session:
        run = rows.add_run(session, ("dog", "house"), batches=3)
        for batch in rows.batches_of(session, run):
            rows.add_family(place, session, batch)
    return place


@pytest.fixture
def one_family_place(place):
    with place.sessions.begin() as session:
        rows.add_family(place, session, rows.batch_of(session, rows.add_run(session)))
    return place


def test_rf_detr_s_folders_are_train_valid_and_test(families_place, out):
    done = export_as(families_place, "rf-detr", out, splits="train=0.6,validation=0.2,test=0.2")
    folders = {"train": "train", "validation": "valid", "test": "test"}
    assert done.lacking == {}
    for split, folder in folders.items():
        coco = exports.read_coco(out / folder / "_annotations.coco.json")
        assert len(coco.imgs) == done.splits[split]
        names = {path.name for path in (out / folder).glob("*.png")}
        assert names == {image["file_name"] for image in coco.imgs.values()}
        assert all(isinstance(one["segmentation"], list) for one in coco.anns.values())


@pytest.mark.models
def test_the_columns_of_transformers_detection(families_place, out, tmp_path):
    import datasets

    datasets.disable_progress_bars()
    done = export_as(families_place, "transformers-detection", out, splits=THREE)
    dataset = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    assert set(dataset) == {"train", "validation", "test"}
    assert len(dataset["validation"]) == done.splits["valid"]
    features = dataset["train"].features
    assert {"image_id", "image", "width", "height", "objects"} == set(features)
    assert {"id", "area", "bbox", "category"} <= set(features["objects"])
    # The line with which transformers' example finds the classes.
    assert features["objects"]["category"].feature.names == ["dog", "house", "tree"]
    boxes = export_as(families_place, "transformers-detection", tmp_path / "b", masks="none")
    assert boxes.annotations == done.annotations


@pytest.mark.models
def test_detr_s_processor_draws_the_stored_masks(families_place, out, tmp_path):
    import datasets
    from transformers import DetrImageProcessor

    export_as(families_place, "transformers-detection", out)
    loaded = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    known = {truth.id: truth for truth in exports.known_candidates(families_place).values()}
    # The fast processors draw no masks of a size that they change.
    processor = DetrImageProcessor(do_resize=False, do_pad=False)
    for row in loaded["train"]:
        columns = row["objects"]
        objects = [
            {name: values[index] for name, values in columns.items()} | {"category_id": category}
            for index, category in enumerate(columns["category"])
        ]
        read = processor(
            images=row["image"],
            annotations={"image_id": row["image_id"], "annotations": objects},
            return_segmentation_masks=True,
            return_tensors="pt",
        )["labels"][0]
        for mask, (_, _, truth) in zip(read["masks"], known[row["image_id"]].objects, strict=True):
            np.testing.assert_array_equal(np.asarray(mask, dtype=bool), truth)


@pytest.mark.models
def test_torchvision_reads_the_development_kit(families_place, out):
    from torchvision.datasets import VOCDetection

    done = export_as(families_place, "torchvision-voc", out, splits=VAL_IS_VALID)
    known = exports.known_candidates(families_place)
    sizes = {
        name: len(VOCDetection(str(out), year="2012", image_set=name)) for name in ("train", "val")
    }
    assert sizes == {"train": done.splits["train"], "val": done.splits["valid"]}
    for image, tree in VOCDetection(str(out), year="2012", image_set="train"):
        truth = known[Path(tree["annotation"]["filename"]).stem]
        difference = exports.pixels_of(image).astype(int) - truth.pixels
        assert np.abs(difference).mean() < 3  # JPEG
        read = [
            (each["name"], [int(each["bndbox"][side]) for side in ("xmin", "ymin", "xmax", "ymax")])
            for each in tree["annotation"]["object"]
        ]
        # VOC counts pixels from 1 and includes the last one.
        corners = [np.rint(np.add(box, [1, 1, 0, 0])) for _, box, _ in truth.objects]
        stored = [(known[0], list(box)) for known, box in zip(truth.objects, corners, strict=True)]
        assert read == stored


@pytest.mark.parametrize(("name", "root"), [("voc", ""), ("torchvision-voc", "VOCdevkit/VOC2012")])
def test_voc_s_label_map_numbers_the_classes(families_place, out, name, root):
    export_as(families_place, name, out)
    lines = (out / root / "labelmap.txt").read_text("utf-8").splitlines()
    assert lines == ["# label:color_rgb:parts:actions", "dog:::", "house:::", "tree:::"]


def test_torchvision_s_xml_names_the_jpeg(families_place, out):
    export_as(families_place, "torchvision-voc", out)
    root = out / "VOCdevkit" / "VOC2012"
    for path in (root / "Annotations").iterdir():
        name = ET.parse(path).findtext("filename")  # noqa: S314  # our own
        with Image.open(root / "JPEGImages" / name) as image:
            assert (image.format, image.size) == ("JPEG", (rows.SIZE_PX, rows.SIZE_PX))


@pytest.mark.models
def test_classes_have_the_same_numbers_in_every_split(place, out):
    from torchvision.datasets import ImageFolder

    with place.sessions.begin() as session:
        run = rows.add_run(session, ("dog", "house", "car"), batches=2)
        batches = rows.batches_of(session, run)
        for batch in batches[:-1]:  # one family of the last label: one split cannot have it
            rows.add_family(place, session, batch)
    done = export_as(place, "classification", out, splits=VAL_IS_VALID)
    [(poor, lacking)] = done.lacking.items()
    assert lacking == ("car",)
    train, val = (ImageFolder(out / name, allow_empty=True) for name in ("train", "val"))
    assert train.classes == val.classes == ["car", "dog", "house"]
    assert f"The split {poor} has nothing of car." in str(done)


@pytest.mark.parametrize(
    ("splits", "val"),
    [
        (None, "images/val"),
        (VAL_IS_VALID, "images/valid"),
        ("train=0.5,validation=0.5", "images/validation"),
        ("train=1", "images/train"),
    ],
)
def test_data_yaml_always_has_val(families_place, out, splits, val):
    done = export_as(families_place, "yolo-detect", out, splits=splits)
    data = yaml.safe_load((out / "data.yaml").read_text("utf-8"))
    assert (data["train"], data["val"]) == ("images/train", val)
    assert (out / val).is_dir()
    assert ("No image is in a split val" in str(done)) == (val == "images/train")


def test_a_yolo_export_of_one_family_validates_on_it_and_says_so(one_family_place, out):
    done = export_as(one_family_place, "yolo-detect", out)
    data = yaml.safe_load((out / "data.yaml").read_text("utf-8"))
    assert data["val"] == "images/train"
    assert "The split val has no image" in str(done)
    assert "No image is in a split val" in (out / "README.md").read_text("utf-8")


@pytest.mark.parametrize("name", ["rf-detr", "classification", "torchvision-voc"])
def test_a_trainer_that_needs_val_gets_it_or_an_error(one_family_place, out, name):
    with pytest.raises(SplitsIncomplete, match="no image for val") as refused:
        export_as(one_family_place, name, out)
    assert refused.value.exit_code == 1
    with pytest.raises(SettingsError, match=r"has no val, .* train=0.8,val=0.2"):
        export_as(one_family_place, name, out, splits="train=0.9,test=0.1")
    assert not out.exists()


@pytest.mark.parametrize(
    ("masks", "kind"), [(None, "rectanglelabels"), ("polygons", "polygonlabels")]
)
def test_a_label_studio_object_is_a_box_or_a_polygon(families_place, out, masks, kind):
    export_as(families_place, "label-studio", out, masks=masks)
    tasks = json.loads((out / "tasks.json").read_text("utf-8"))
    known = exports.known_candidates(families_place)
    assert len(tasks) == len(known)
    for task in tasks:
        served = task["data"]["image"].removeprefix("/data/local-files/?d=dataset/")
        assert (out / served).is_file()
        truth = known[Path(served).stem].objects
        regions = task["predictions"][0]["result"]
        assert [region["type"] for region in regions] == [kind] * len(truth)
        assert [region["value"][kind][0] for region in regions] == [label for label, *_ in truth]
        for region, (_, box, _) in zip(regions, truth, strict=True):
            in_px = np.array(box_in(region["value"])) * rows.SIZE_PX / 100
            np.testing.assert_allclose(in_px, box, atol=1e-6 if masks is None else 1)
    controls = list(ET.parse(out / "label_config.xml").getroot())[1:]  # noqa: S314  # our own
    assert [control.tag.lower() for control in controls] == [kind]
    assert controls[0].get("canRotate") == ("false" if masks is None else None)


def box_in(value):
    """Return the box of a region, in per cent."""
    if "points" in value:
        points = np.array(value["points"])
        return [*points.min(axis=0), *points.max(axis=0)]
    return [value["x"], value["y"], value["x"] + value["width"], value["y"] + value["height"]]
