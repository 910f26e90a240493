"""Measurement of the judges: on held-out renders, on round trips, and on empty backgrounds."""

import numpy as np

from chatgenimage.workers.values import RgbImage
from training.backgrounds import paint_background
from training.bench import Advance, Bench, iter_batches, share
from training.judges import NOTHING
from training.world import BACKGROUNDS


def measure_judges(bench: Bench, count: int, advance: Advance) -> dict[str, float]:
    """Return how often each judge is right."""
    rng = np.random.default_rng(9)
    on_renders, on_round_trips, empty, backgrounds = [], [], [], []
    for rows in iter_batches(count, advance):
        images = list(bench.held_out.images[list(rows)])
        soft = bench.round_trip(images)
        for row, image, trip in zip(rows, images, soft, strict=True):
            on_renders += _named_rightly(bench, row, image)
            on_round_trips += _named_rightly(bench, row, trip)
            empty += _nothing_seen(bench, rng, row)
        names = bench.backgrounds.name(soft)
        backgrounds += [n == bench.held_out.background(r) for n, r in zip(names, rows, strict=True)]
    return {
        "objects_on_renders": share(on_renders),
        "objects_on_round_trips": share(on_round_trips),
        "nothing_where_nothing_is": share(empty),
        "backgrounds_on_round_trips": share(backgrounds),
    }


def _named_rightly(bench: Bench, row: int, image: RgbImage) -> list[bool]:
    truth = bench.truth(row)
    named = bench.objects.name(image, [box for _, box in truth])
    return [label == name for (label, _), name in zip(truth, named, strict=True)]


def _nothing_seen(bench: Bench, rng: np.random.Generator, row: int) -> list[bool]:
    """Return whether no object is named in the same boxes on another, empty background."""
    name = str(rng.choice(BACKGROUNDS))
    image = np.round(paint_background(name, rng) * 255).astype(np.uint8)
    boxes = [box for _, box in bench.truth(row)]
    return [name == NOTHING for name in bench.objects.name(image, boxes)]
