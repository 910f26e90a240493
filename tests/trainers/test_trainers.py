"""Ultralytics and RF-DETR train on exports as they are; Datumaro and Label Studio read them.

`make test-trainers` fetches them (Ultralytics is AGPL: it is used by these tests alone) and runs
this; without them it is skipped. The results are on docs/export.md.
"""

import importlib.util
import json
import shutil

import numpy as np
import pytest
import yaml

from chatgenimage.factory.export.trainers import ultralytics
from tests.factory import exports
from tests.factory.card_commands import (
    Command,
    add_pictures,
    find_command,
    run_command,
    trainers,
)
from tests.factory.exports import export_as, known_candidates

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # other libraries'
    pytest.mark.skipif(
        any(not importlib.util.find_spec(name) for name in ("ultralytics", "rfdetr", "datumaro")),
        reason="no trainers found: make test-trainers",
    ),
]


@pytest.fixture
def out(tmp_path):
    return tmp_path / "dataset"


@pytest.mark.parametrize(("name", "trainer"), trainers("Ultralytics", "RF-DETR"))
def test_a_trainer_trains_with_the_copied_command(place, out, name, trainer):
    export_as(add_pictures(place), name, out)
    run_command(out, find_command(out, trainer))
    weights = [path for path in out.rglob("*") if path.suffix in {".pt", ".pth", ".ckpt"}]
    assert weights


@pytest.mark.parametrize("masks", ["polygons", "rle"])
def test_rf_detr_segments(place, out, masks):
    export_as(add_pictures(place), "rf-detr", out, masks=masks)
    command = find_command(out, "RF-DETR")
    segment = command.code.replace("RFDETRNano", "RFDETRSegNano")
    run_command(out, Command(command.trainer, "python", segment))
    assert list((out / "trained").rglob("*.pth"))


@pytest.mark.parametrize("name", ["coco", "yolo-detect", "voc", "torchvision-voc"])
def test_datumaro_reads_labels_and_boxes(place, out, name):
    from datumaro import AnnotationType, Dataset

    source, most_px = {"coco": ("coco", 0), "yolo-detect": ("yolo", 0.01)}.get(name, ("voc", 0.5))
    options = {"coordinate_mode": "voc-one-based"} if source == "voc" else {}
    export_as(add_pictures(place), name, out)
    root = next((path for path in out.rglob("VOC2012")), out)
    dataset = Dataset.import_from(str(root), source, **options)
    labels = dataset.categories()[AnnotationType.label]
    known = known_candidates(place)
    assert len(dataset) == len(known)
    for item in dataset:
        found = [each for each in item.annotations if each.type == AnnotationType.bbox]
        read = [(labels[each.label].name, np.array(each.points)) for each in found]
        truth = known[item.id.split("/")[-1]].objects
        pairs = zip(exports.by_label(read), exports.by_label(truth), strict=True)
        for (label, box), (true_label, true_box, _) in pairs:
            assert label == true_label
            np.testing.assert_allclose(box, true_box, atol=most_px)


@pytest.mark.parametrize(("masks", "task"), [(None, "detect"), ("polygons", "segment")])
def test_label_studio_s_converter_makes_a_dataset_that_ultralytics_trains_on(
    place, out, tmp_path, masks, task
):
    done = export_as(add_pictures(place), "label-studio", out, masks=masks)
    for split in ("train", "val"):
        convert(out, tmp_path / "yolo" / split, "yolo")
    lines = [path.read_text().splitlines() for path in (tmp_path / "yolo").rglob("labels/*.txt")]
    assert sum(map(len, lines)) == 2 * done.annotations
    names = (tmp_path / "yolo" / "train" / "classes.txt").read_text().split("\n")[:-1]
    data = {"train": "train/images", "val": "val/images", "names": dict(enumerate(names))}
    (tmp_path / "yolo" / "data.yaml").write_text(yaml.safe_dump(data))
    model = "yolo11n" if task == "detect" else "yolo11n-seg"
    trainer = ultralytics(task, "data.yaml", model)
    printed = run_command(tmp_path / "yolo", Command(trainer.name, "sh", trainer.code))
    assert "labels mix" not in printed
    assert list((tmp_path / "yolo").rglob("last.pt"))


@pytest.mark.parametrize("masks", [None, "polygons"])
def test_label_studio_s_converter_writes_each_object_once(place, out, tmp_path, masks):
    done = export_as(add_pictures(place), "label-studio", out, masks=masks)
    convert(out, tmp_path / "coco", "coco")
    read = json.loads((tmp_path / "coco" / "result.json").read_text())
    names = {category["id"]: category["name"] for category in read["categories"]}
    assert len(read["annotations"]) == done.annotations
    boxes = sorted((names[one["category_id"]], *one["bbox"]) for one in read["annotations"])
    known = [each for one in known_candidates(place).values() for each in one.objects]
    truth = sorted((name, *box[:2], *(box[2:] - box[:2])) for name, box, _ in known)
    for (name, *box), (true_name, *true_box) in zip(boxes, truth, strict=True):
        assert name == true_name
        np.testing.assert_allclose(box, true_box, atol=0.01 if masks is None else 1)


def convert(out, to, kind):
    """Let Label Studio's converter write the tasks, each prediction taken as correct."""
    from label_studio_sdk.converter import Converter

    tasks = json.loads((out / "tasks.json").read_text("utf-8"))
    for number, task in enumerate(tasks, start=1):
        served = task["data"]["image"].removeprefix(f"/data/local-files/?d={out.name}/")
        task["id"] = number
        task["annotations"] = [{"id": number, "result": task.pop("predictions")[0]["result"]}]
        task["data"] = {"image": str(out / served)}
    to.mkdir(parents=True)
    (to / "tasks.json").write_text(json.dumps(tasks), "utf-8")
    config = (out / "label_config.xml").read_text("utf-8")
    converter = Converter(config, project_dir=str(to), download_resources=False)
    write = getattr(converter, f"convert_to_{kind}")
    write(str(to / "tasks.json"), str(to), is_dir=False, output_image_dir=str(to / "images"))
    (to / "images").mkdir(exist_ok=True)
    for task in tasks:  # Label Studio's server would send them
        shutil.copy(task["data"]["image"], to / "images")
