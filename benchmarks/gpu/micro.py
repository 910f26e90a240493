"""The micro profile on the GPU in float32 compared with the CPU: is it right there?"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.loops import NAMES, boxes_of, draw_pictures, prompts_of
from benchmarks.gpu.painting import difference
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.workers.device import limit_threads
from chatgenimage.workers.registry import load_family
from chatgenimage.workers.trial import try_family

COUNT = 4
SIDE_PX = 64
PAINTINGS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "generate": ("diffusion", lambda family: family.generate(prompts_of(COUNT), range(COUNT))),
    "fill": (
        "diffusion",
        lambda family: family.fill(_pictures(), _masks(), prompts_of(COUNT), range(COUNT)),
    ),
    "edit": (
        "editing",
        lambda family: family.edit(
            _pictures(), ["change the background to a beach"] * COUNT, range(COUNT)
        ),
    ),
}


def compare(bench: Bench) -> None:
    """Work on the CPU and on the device, with TensorFloat-32 as torch has it and without."""
    settings, threads = load_settings("micro"), torch.get_num_threads()
    limit_threads(settings.cpu_threads or threads)
    configs = settings.families
    keys = ("diffusion", "editing", "captioning", "detection", "segmentation", "similarity")
    here = {key: load_family(configs[key], "cpu") for key in keys}
    there = {key: load_family(configs[key], bench.device) for key in keys}
    for tf32 in (True, False) if bench.on_cuda else (False,):
        with _tensor_float(allowed=tf32):
            _compare_paintings(bench, here, there, tf32=tf32)
            _compare_labels(bench, here, there, tf32=tf32)
    limit_threads(threads)


def try_all(bench: Bench) -> None:
    """Try every family of the profile as `factory models check` does."""
    for key, config in load_settings("micro").families.items():
        trial = try_family(config, bench.device, (SIDE_PX, SIDE_PX))
        bench.add(trial=key, made=trial.made, work_s=trial.work_s, memory_bytes=trial.memory_bytes)


def _compare_paintings(
    bench: Bench, here: dict[str, Any], there: dict[str, Any], *, tf32: bool
) -> None:
    for work, (key, paint) in PAINTINGS.items():
        ones, others = paint(here[key]), paint(there[key])
        bench.add(work=work, tf32=tf32, **difference(ones, others))


def _compare_labels(
    bench: Bench, here: dict[str, Any], there: dict[str, Any], *, tf32: bool
) -> None:
    pictures = here["diffusion"].generate(prompts_of(COUNT), range(COUNT))
    captions = [side["captioning"].caption(pictures) for side in (here, there)]
    same = sum(one == other for one, other in zip(*captions, strict=True))
    bench.add(work="caption", tf32=tf32, same=same, of=COUNT)
    found = [side["detection"].detect(pictures, [NAMES] * COUNT) for side in (here, there)]
    bench.add(work="detect", tf32=tf32, **_compare_boxes(*found))
    boxes = [boxes_of(SIDE_PX)] * COUNT
    masks = [
        np.array(side["segmentation"].segment(pictures, boxes), dtype=bool)
        for side in (here, there)
    ]
    bench.add(
        work="segment", tf32=tf32, differing=int((masks[0] != masks[1]).sum()), of=masks[0].size
    )
    vectors = [side["similarity"].embed_images(pictures) for side in (here, there)]
    cosines = (vectors[0] * vectors[1]).sum(axis=1)
    bench.add(work="embed", tf32=tf32, least_cosine=float(cosines.min()))


def _compare_boxes(ones: list[Any], others: list[Any]) -> dict[str, Any]:
    """Return how many boxes there are, and how far those of the same rank are apart."""
    counts = [sum(map(len, found)) for found in (ones, others)]
    pairs = [
        (one, other)
        for here, there in zip(ones, others, strict=True)
        for one, other in zip(here, there, strict=False)
        if one.label == other.label
    ]
    apart = [np.abs(np.subtract(one.box_xyxy, other.box_xyxy)).max() for one, other in pairs]
    sure = [abs(one.confidence - other.confidence) for one, other in pairs]
    return {
        "boxes": counts,
        "same_label": len(pairs),
        "most_px_apart": float(max(apart, default=0.0)),
        "most_confidence_apart": float(max(sure, default=0.0)),
    }


@contextmanager
def _tensor_float(*, allowed: bool) -> Iterator[None]:
    """Let convolutions use TensorFloat-32, as torch does by default, or not."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def _pictures() -> list[Any]:
    return draw_pictures(SIDE_PX)[:COUNT]


def _masks() -> list[Any]:
    mask = np.zeros((SIDE_PX, SIDE_PX), dtype=bool)
    mask[16:40, 16:40] = True
    return [mask] * COUNT
