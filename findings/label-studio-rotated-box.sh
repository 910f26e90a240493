#!/usr/bin/env bash
# label-studio-sdk 2.1.2 exports one rotated rectangle as different boxes in COCO and in YOLO and VOC. (Installs 500 MB.)
#
# Guess: the three converters agree: each writes the box around the rotated rectangle, or refuses rotation.
# What happens: COCO gets the box around the rotated rectangle. YOLO and VOC get the rectangle as it was before the turn,
#   without a warning. Below, where the rectangle is turned by 90 degrees, the two boxes do not overlap at all.
# What a user meets: someone turns a box in the editor to fit a slanted object (the handle is there unless the
#   configuration says canRotate="false"). A model trained on the YOLO export then learns boxes next to the objects.
# Decision here: boxes have no angle and datasets are exported from our own database. A project in Label Studio whose
#   boxes are exported there should have canRotate="false" on its RectangleLabels.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq label-studio-sdk==2.1.2

cat >"$folder/convert.py" <<'PYTHON'
import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

from label_studio_sdk.converter import Converter

FOLDER = Path(sys.argv[1])
SIDE = 100  # pixels, so that per cent are pixels
CONFIG = """<View><Image name="image" value="$image"/>
<RectangleLabels name="box" toName="image"><Label value="dog"/></RectangleLabels></View>"""


def convert(rotation: int) -> dict[str, list[float]]:
    """Return the box of a 40 x 20 rectangle at 50, 30 as x, y, width, height, by format."""
    folder = FOLDER / str(rotation)
    folder.mkdir()
    value = {"x": 50, "y": 30, "width": 40, "height": 20, "rotation": rotation}
    result = {
        "id": "r",
        "from_name": "box",
        "to_name": "image",
        "type": "rectanglelabels",
        "original_width": SIDE,
        "original_height": SIDE,
        "image_rotation": 0,
        "value": {**value, "rectanglelabels": ["dog"]},
    }
    task = {"id": 1, "data": {"image": "a.png"}, "annotations": [{"id": 1, "result": [result]}]}
    tasks = folder / "tasks.json"
    tasks.write_text(json.dumps([task]))
    converter = Converter(CONFIG, project_dir=str(folder), download_resources=False)
    for name in ("coco", "yolo", "voc"):
        write = getattr(converter, f"convert_to_{name}")
        write(str(tasks), str(folder / name), is_dir=False, output_image_dir=str(folder / "images"))
    coco = json.loads((folder / "coco/result.json").read_text())["annotations"][0]["bbox"]
    line = next((folder / "yolo/labels").glob("*.txt")).read_text().split()
    x, y, width, height = (float(number) * SIDE for number in line[1:])
    corners = ET.parse(next((folder / "voc/Annotations").glob("*.xml"))).find(".//bndbox")
    left, top, right, bottom = (float(corners.find(n).text) for n in ("xmin", "ymin", "xmax", "ymax"))
    boxes = {
        "coco": coco,
        "yolo": [x - width / 2, y - height / 2, width, height],
        "voc": [left, top, right - left, bottom - top],
    }
    return {name: [round(number) for number in box] for name, box in boxes.items()}


straight, turned = convert(0), convert(90)
print("not rotated:", straight)
print("rotated by 90 degrees:", turned)
upright = [50, 30, 40, 20]
if straight["coco"] != upright or straight["yolo"] != upright:
    sys.exit("changed: the rectangle that is not rotated")
if turned["coco"] != [30, 30, 20, 40]:
    sys.exit("changed: COCO no longer has the box around the rotated rectangle")
if turned["yolo"] != straight["yolo"] or turned["voc"] != straight["voc"]:
    sys.exit("changed: YOLO or VOC heeds the rotation")
PYTHON
"$python" "$folder/convert.py" "$folder" 2>"$folder/log" || {
    tail -5 "$folder/log"
    exit 1
}
