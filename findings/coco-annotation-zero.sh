#!/usr/bin/env bash
# pycocotools 2.0.11, label-studio-sdk 2.1.2: the object with annotation id 0, the first of each export, is never found.
#
# Guess: an annotation's id is a name. Any unique number is right, and a detector that finds everything has an AP of 1.
# What happens: COCOeval writes the id of the matched object next to each detection, and takes 0 for "none". A detection of
#   object 0 counts as a false alarm, and the object as missed. Label Studio numbers its annotations from 0, so that each
#   of its exports has such an object. faster-coco-eval 1.8.0 does the same.
# What a user meets: in a set of thousands nobody sees it. In a small test set, or for a class with few objects, a perfect
#   detector has 0.25 of 1.00 if the class has two objects, and a class with one object has 0. Nothing is reported, and
#   another order of the same images gives another mAP.
# What to do: add 1 to the ids. Decision here: COCO that is written has ids from 1, and objects that are read get
#   new ids from 1 before anything is counted.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq label-studio-sdk==2.1.2 pycocotools==2.0.11 faster-coco-eval==1.8.0

cat >"$folder/evaluate.py" <<'PYTHON'
import contextlib
import io
import json
import sys
from pathlib import Path

import faster_coco_eval
import pycocotools.coco
import pycocotools.cocoeval
from label_studio_sdk.converter import Converter

FOLDER = Path(sys.argv[1])
SIDE = 100
CONFIG = """<View><Image name="image" value="$image"/>
<RectangleLabels name="box" toName="image"><Label value="fox"/><Label value="owl"/></RectangleLabels></View>"""
LIBRARIES = {
    "pycocotools": (pycocotools.coco.COCO, pycocotools.cocoeval.COCOeval),
    "faster-coco-eval": (faster_coco_eval.COCO, faster_coco_eval.COCOeval_faster),
}


def export(names):
    """Return Label Studio's COCO of images with one object each."""
    tasks = []
    for number, name in enumerate(names, start=1):
        result = {"id": "r", "from_name": "box", "to_name": "image", "type": "rectanglelabels", "image_rotation": 0}
        result |= {"original_width": SIDE, "original_height": SIDE}
        result["value"] = {"x": 10, "y": 10, "width": 40, "height": 40, "rotation": 0, "rectanglelabels": [name]}
        annotation = {"id": number, "result": [result]}
        tasks.append({"id": number, "data": {"image": f"{number}.png"}, "annotations": [annotation]})
    (FOLDER / "tasks.json").write_text(json.dumps(tasks))
    converter = Converter(CONFIG, project_dir=str(FOLDER), download_resources=False)
    images = str(FOLDER / "images")
    converter.convert_to_coco(str(FOLDER / "tasks.json"), str(FOLDER / "coco"), is_dir=False, output_image_dir=images)
    return json.loads((FOLDER / "coco/result.json").read_text())


def ap_of_a_perfect_detector(coco, api, evaluator):
    truth = api()
    truth.dataset = coco
    keys = ("image_id", "category_id", "bbox")
    detections = [{key: one[key] for key in keys} | {"score": 0.9} for one in coco["annotations"]]
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        run = evaluator(truth, truth.loadRes(detections), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return round(float(run.stats[0]), 2)


found = {}
for names in (["fox", "fox"], ["fox", "owl"], ["fox"] * 20):
    coco = export(names)
    ids = [one["id"] for one in coco["annotations"]]
    shifted = coco | {"annotations": [one | {"id": one["id"] + 1} for one in coco["annotations"]]}
    for library, (api, evaluator) in LIBRARIES.items():
        pair = [ap_of_a_perfect_detector(one, api, evaluator) for one in (coco, shifted)]
        found[len(ids), len(set(names)), library] = pair
        kinds = f"{len(ids)} objects of {len(set(names))} class(es), ids from {min(ids)}"
        print(f"{kinds}: AP {pair[0]:.2f}, with 1 added to the ids {pair[1]:.2f} ({library})")
    if min(ids) != 0:
        sys.exit("changed: Label Studio's numbers")
if any(shifted != 1 for _, shifted in found.values()):
    sys.exit("changed: ids from 1")
if any(found[2, 1, name][0] != 0.25 or found[2, 2, name][0] != 0.5 or found[20, 1, name][0] > 0.96 for name in LIBRARIES):
    sys.exit("changed: ids from 0")
PYTHON
"$python" -W ignore "$folder/evaluate.py" "$folder" 2>"$folder/log" || {
    tail -5 "$folder/log"
    exit 1
}
