"""An export format: one line of JSON for each image, with its boxes."""

import json

from chatgenimage.factory.export.base import Format, Plan
from chatgenimage.factory.export.folder import Folder
from chatgenimage.factory.export.sample import Sample

READING = """\
import json
from pathlib import Path

lines = Path("{out}", "train.jsonl").read_text().splitlines()
print(json.loads(lines[0])["objects"])
"""


class JsonLinesWriter:
    """Writes a file of lines for each split, and the images next to it."""

    def __init__(self, folder: Folder, plan: Plan) -> None:
        self._folder = folder
        self._files = {split: folder.open_text(f"{split}.jsonl") for split in plan.counts}

    def add(self, sample: Sample) -> None:
        """Write one image and its line."""
        place = f"images/{sample.file_name}"
        self._folder.put_image(place, sample)
        objects = [
            {"label": one.label, "box_xyxy": one.box_xyxy, "confidence": one.confidence}
            for one in sample.objects
        ]
        line = {"image": place, "label": sample.label, "objects": objects}
        self._files[sample.split].write(json.dumps(line) + "\n")

    def close(self) -> None:
        """Do nothing: the folder closes the files."""


JSON_LINES = Format("json-lines", "JSON lines with boxes", JsonLinesWriter, READING)
