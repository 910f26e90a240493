"""Licences of checkpoints, if known."""

from pathlib import Path

from chatgenimage.workers.weights.licences import read_licence
from chatgenimage.workers.weights.local_files import BUNDLED_FOLDER, BUNDLED_PREFIX

UNKNOWN = "not known; see the model's page"
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
"""By hub id or file name, from the models' pages; a card next to the weights has priority."""


def find_licence(checkpoint: str) -> str:
    """Return the licence of a checkpoint, or `UNKNOWN`."""
    if checkpoint.startswith(BUNDLED_PREFIX):
        path = BUNDLED_FOLDER / checkpoint.removeprefix(BUNDLED_PREFIX)
    else:
        path = Path(checkpoint).expanduser()
    for folder in (path, path.parent):
        if licence := read_licence(folder):
            return licence
    return KNOWN.get(checkpoint) or KNOWN.get(path.name) or UNKNOWN
