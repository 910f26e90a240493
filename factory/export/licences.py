"""The licence of a checkpoint, as far as it is known."""

import re
from pathlib import Path

import yaml

from chatgenimage.workers.weights.local_files import BUNDLED_FOLDER, BUNDLED_PREFIX

UNKNOWN = "not known here; see the page of the model"
KNOWN = {
    "stable-diffusion-v1-5/stable-diffusion-v1-5": "creativeml-openrail-m",
    "timbrooks/instruct-pix2pix": "mit",
    "Salesforce/blip2-opt-2.7b": "mit",
    "IDEA-Research/grounding-dino-base": "apache-2.0",
    "IDEA-Research/grounding-dino-tiny": "apache-2.0",
    "laion/CLIP-ViT-B-32-laion2B-s34B-b79K": "mit",
    "sam_vit_h_4b8939.pth": "apache-2.0",
    "sam_vit_l_0b3195.pth": "apache-2.0",
    "sam_vit_b_01ec64.pth": "apache-2.0",
}
"""By hub id or file name, from the models' own pages; a card beside the weights is asked first."""

_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)


def find_licence(checkpoint: str) -> str:
    """Return the licence of a checkpoint, or that it is not known."""
    if checkpoint.startswith(BUNDLED_PREFIX):
        path = BUNDLED_FOLDER / checkpoint.removeprefix(BUNDLED_PREFIX)
    else:
        path = Path(checkpoint).expanduser()
    for folder in (path, path.parent):
        if licence := _told_by(folder / "README.md"):
            return licence
    return KNOWN.get(checkpoint) or KNOWN.get(path.name) or UNKNOWN


def _told_by(card: Path) -> str | None:
    """Return what a model card's front matter says."""
    if not card.is_file():
        return None
    found = _FRONT_MATTER.match(card.read_text(encoding="utf-8"))
    try:
        told = yaml.safe_load(found[1]) if found else None
    except yaml.YAMLError:
        return None
    licence = told.get("license") if isinstance(told, dict) else None
    return str(licence) if licence else None
