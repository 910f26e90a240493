"""Trial of a family: process one item, or passes of growing size; measure time and memory."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from chatgenimage.workers import interfaces
from chatgenimage.workers.config import FamilyConfig
from chatgenimage.workers.device import forget_peak_memory, refuse_absent
from chatgenimage.workers.errors import OutOfMemory
from chatgenimage.workers.interfaces import Family
from chatgenimage.workers.registry import load_family
from chatgenimage.workers.server_config import ServerConfig
from chatgenimage.workers.values import RgbImage

LONGEST_S = 60.0
"""No larger pass is tried after one that takes longer."""
PROMPT = "a dog in a forest"
LABEL = "dog"


@dataclass(frozen=True, slots=True)
class TrialResult:
    """Result of processing one item.

    Attributes:
        device: The device used.
        load_s: Seconds to load the family, including its libraries.
        work_s: Seconds to process the item.
        memory_bytes: Peak memory: of the device on CUDA, otherwise of the process.
        made: Description of the output.
        seconds: Seconds of one item by capability (see `Job`), of a second pass, unless the first
            one took more than a minute or was paid for.
    """

    device: str
    load_s: float
    work_s: float
    memory_bytes: int
    made: str
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PassTime:
    """Time and memory of one pass.

    Attributes:
        size: Number of items.
        seconds: Duration of the pass, with every capability of the family.
        memory_bytes: Peak memory: of the device on CUDA, otherwise of the process so far.
    """

    size: int
    seconds: float
    memory_bytes: int

    @property
    def images_per_s(self) -> float:
        """Return the items per second."""
        return self.size / self.seconds


def try_family(
    config: FamilyConfig,
    device: str,
    size_wh: tuple[int, int],
    check: Callable[[Family], None] | None = None,
) -> TrialResult:
    """Process one item with a family; meant for a separate process.

    Args:
        config: The family's settings.
        device: As torch names it.
        size_wh: Size of the image to process, pixels.
        check: Raises an error if the loaded family is not one that is wanted.

    Raises:
        WorkerError: If it does not load or work.
    """
    refuse_absent(device)
    started = time.perf_counter()
    family = load_family(config, device)
    if check is not None:
        check(family)
    loaded = time.perf_counter()
    made, seconds = _work(family, size_wh)
    work_s = time.perf_counter() - loaded
    memory_bytes = _peak_memory(device)
    if work_s <= LONGEST_S and not isinstance(config, ServerConfig):  # a server would be paid twice
        _, seconds = _work(family, size_wh)
    return TrialResult(device, loaded - started, work_s, memory_bytes, made, seconds)


def time_passes(
    config: FamilyConfig, device: str, size_wh: tuple[int, int], most: int
) -> list[PassTime]:
    """Process passes of 1, 2, 4, ... items; meant for a separate process.

    Args:
        config: The family's settings.
        device: As torch names it.
        size_wh: Size of the images to process, pixels.
        most: Largest pass to try.

    Returns:
        A time per size, up to the largest that fits into the device's memory, or the first that
        takes more than a minute.

    Raises:
        WorkerError: If the family does not load or cannot process one item.
    """
    refuse_absent(device)
    return time_family(load_family(config, device), device, size_wh, most)


def time_family(family: Family, device: str, size_wh: tuple[int, int], most: int) -> list[PassTime]:
    """Process passes of 1, 2, 4, ... items with a loaded family, as `time_passes`."""
    _work(family, size_wh)  # the first call also loads libraries
    times: list[PassTime] = []
    size = 1
    while size <= most and not (times and times[-1].seconds > LONGEST_S):
        forget_peak_memory()
        started = time.perf_counter()
        try:
            _work(family, size_wh, size)
        except OutOfMemory:
            if not times:
                raise
            break
        times.append(PassTime(size, time.perf_counter() - started, _peak_memory(device)))
        size *= 2
    return times


@dataclass(frozen=True, slots=True)
class Job:
    """The work of one capability.

    Attributes:
        name: Of the capability: "features", "generate", "fill", "edit", "caption", "find",
            "detect", "segment", "ask" or "embed".
        work: Processes the items, and returns a description of the first output.
    """

    name: str
    work: Callable[[], str]


def _work(family: Family, size_wh: tuple[int, int], count: int = 1) -> tuple[str, dict[str, float]]:
    """Process items with each capability of the family.

    Args:
        family: The family.
        size_wh: Size of the images, pixels.
        count: Number of items in a pass.

    Returns:
        A description of the first output of each, and the seconds by capability.
    """
    made, seconds = [], {}
    image = _picture(size_wh)
    for job in (*_make(family, image, count), *_label(family, image, count)):
        started = time.perf_counter()
        made.append(job.work())
        seconds[job.name] = time.perf_counter() - started
    return ", ".join(made), seconds


def _make(family: Family, image: RgbImage, count: int) -> Iterator[Job]:
    """Yield the work of each capability that writes or paints."""
    images, prompts, seeds = [image] * count, [PROMPT] * count, list(range(count))
    height, width = image.shape[:2]
    mask = np.zeros((height, width), dtype=bool)
    mask[height // 4 : height // 2, width // 4 : width // 2] = True
    if isinstance(family, interfaces.LanguageModel):
        yield Job(
            "features", lambda: f"{len(family.describe_features(LABEL, seed=0).value)} features"
        )
    if isinstance(family, interfaces.ImageGenerator):
        yield Job("generate", lambda: f"an image of {_size(family.generate(prompts, seeds)[0])}")
    if isinstance(family, interfaces.ObjectFiller):
        yield Job(
            "fill",
            lambda: f"a fill in {_size(family.fill(images, [mask] * count, prompts, seeds)[0])}",
        )
    if isinstance(family, interfaces.BackgroundEditor):
        yield Job("edit", lambda: f"an edit of {_size(family.edit(images, prompts, seeds)[0])}")


def _label(family: Family, image: RgbImage, count: int) -> Iterator[Job]:
    """Yield the work of each capability that says what images show."""
    images, labels = [image] * count, [[LABEL]] * count
    height, width = image.shape[:2]
    box = (0.25 * width, 0.25 * height, 0.75 * width, 0.75 * height)
    if isinstance(family, interfaces.Captioner):
        yield Job("caption", lambda: f"the caption {family.caption(images)[0]!r}")
    if isinstance(family, interfaces.DetectorSegmenter):
        yield Job("find", lambda: f"{len(family.find(images, labels)[0])} boxes with masks")
    elif isinstance(family, interfaces.Detector):
        yield Job("detect", lambda: f"{len(family.detect(images, labels)[0])} boxes")
    if isinstance(family, interfaces.Segmenter):
        yield Job("segment", lambda: f"{len(family.segment(images, [[box]] * count)[0])} mask")
    if isinstance(family, interfaces.VisualJudge):
        questions = [f"Is this a {LABEL}?"] * count
        yield Job("ask", lambda: f"the answer {family.ask(images, questions)[0][:80]!r}")
    if isinstance(family, interfaces.ImageTextEncoder):
        yield Job("embed", lambda: f"a vector of {family.embed_images(images).shape[1]}")


def _picture(size_wh: tuple[int, int]) -> RgbImage:
    """Return an image with a disc on a gradient."""
    width, height = size_wh
    y, x = np.mgrid[0:height, 0:width]
    image = np.stack([255 * x / width, 255 * y / height, np.full((height, width), 128.0)], axis=2)
    is_disc = (x - width / 2) ** 2 + (y - height / 2) ** 2 < (min(size_wh) / 4) ** 2
    image[is_disc] = (140, 90, 50)
    return image.astype(np.uint8)


def _size(image: RgbImage) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"


def _peak_memory(device: str) -> int:
    """Return the peak memory of the GPU, else of this process, bytes; 0 if it is not known."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.max_memory_allocated(device))
    try:
        import resource
    except ImportError:  # not available on Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
