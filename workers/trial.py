"""One item through a family, to see that it works here, how fast, and in how much memory."""

import sys
import time
from dataclasses import dataclass

import numpy as np

from chatgenimage.workers import interfaces
from chatgenimage.workers.config import FamilyConfig
from chatgenimage.workers.device import refuse_absent
from chatgenimage.workers.interfaces import Family
from chatgenimage.workers.registry import load_family
from chatgenimage.workers.values import RgbImage

PROMPT = "a dog in a forest"
LABEL = "dog"


@dataclass(frozen=True, slots=True)
class Trial:
    """What one item took.

    Attributes:
        device: Where it computed.
        load_s: Seconds to load the family, its libraries included.
        work_s: Seconds of the item's work.
        memory_bytes: Most memory that was in use: of the device on CUDA, else of the process.
        made: What came out, in words.
    """

    device: str
    load_s: float
    work_s: float
    memory_bytes: int
    made: str


def try_family(config: FamilyConfig, device: str, size_wh: tuple[int, int]) -> Trial:
    """Return what one item through a family took; meant for a process of its own.

    Args:
        config: The family's settings.
        device: As torch names it.
        size_wh: Of the image that is worked on, pixels.

    Raises:
        WorkerError: If it does not load or work.
    """
    refuse_absent(device)
    started = time.perf_counter()
    family = load_family(config, device)
    loaded = time.perf_counter()
    made = _work(family, size_wh)
    done = time.perf_counter()
    return Trial(device, loaded - started, done - loaded, _peak_memory(device), made)


def _work(family: Family, size_wh: tuple[int, int]) -> str:
    """Return in words what the family made of one item by each of its capabilities."""
    image, (width, height) = _picture(size_wh), size_wh
    box = (0.25 * width, 0.25 * height, 0.75 * width, 0.75 * height)
    made = []
    if isinstance(family, interfaces.LanguageModel):
        made.append(f"{len(family.describe_features(LABEL, seed=0).value)} features")
    if isinstance(family, interfaces.ImageGenerator):
        made.append(f"an image of {_size(family.generate([PROMPT], [0])[0])}")
    if isinstance(family, interfaces.ObjectFiller):
        mask = np.zeros((height, width), dtype=bool)
        mask[height // 4 : height // 2, width // 4 : width // 2] = True
        made.append(f"a fill in {_size(family.fill([image], [mask], [PROMPT], [0])[0])}")
    if isinstance(family, interfaces.BackgroundEditor):
        made.append(f"an edit of {_size(family.edit([image], [PROMPT], [0])[0])}")
    if isinstance(family, interfaces.Captioner):
        made.append(f"the caption {family.caption([image])[0]!r}")
    if isinstance(family, interfaces.Detector):
        made.append(f"{len(family.detect([image], [[LABEL]])[0])} boxes")
    if isinstance(family, interfaces.Segmenter):
        made.append(f"{len(family.segment([image], [[box]])[0])} mask")
    if isinstance(family, interfaces.ImageTextEncoder):
        made.append(f"a vector of {family.embed_images([image]).shape[1]}")
    return ", ".join(made)


def _picture(size_wh: tuple[int, int]) -> RgbImage:
    """Return a picture with a disc before a gradient."""
    width, height = size_wh
    y, x = np.mgrid[0:height, 0:width]
    image = np.stack([255 * x / width, 255 * y / height, np.full((height, width), 128.0)], axis=2)
    is_disc = (x - width / 2) ** 2 + (y - height / 2) ** 2 < (min(size_wh) / 4) ** 2
    image[is_disc] = (140, 90, 50)
    return image.astype(np.uint8)


def _size(image: RgbImage) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"


def _peak_memory(device: str) -> int:
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.max_memory_allocated(device))
    try:
        import resource
    except ImportError:  # Windows keeps no such account
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
