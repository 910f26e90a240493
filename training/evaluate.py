"""Evaluation of the micro checkpoints on held-out scenes: `python -m training evaluate`."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from training import measure_generators as generators
from training import measure_labelers as labelers
from training.bench import Advance, Bench, open_bench
from training.measure_filter import ACCEPTED, measure_filter
from training.measure_judges import measure_judges
from training.places import CHECKPOINTS

Measure: TypeAlias = Callable[[Bench, int, Advance], dict[str, float]]

CARD = CHECKPOINTS / "README.md"
MEASURED = CHECKPOINTS / "measured.json"
"""File of the last results: by measurement, the number of images and the values."""
START, END = "<!-- measured: start -->", "<!-- measured: end -->"

MEASURES: dict[str, Measure] = {
    "judges": measure_judges,
    "vae": generators.measure_vae,
    "detector": labelers.measure_detector,
    "sam": labelers.measure_sam,
    "blip2": labelers.measure_blip2,
    "clip": labelers.measure_clip,
    "one": generators.measure_one,
    "two": generators.measure_two,
    "edit": generators.measure_edit,
    "fill": generators.measure_fill,
    "filter": measure_filter,
}


@dataclass(frozen=True, slots=True)
class Bar:
    """Required value of a measurement; None is for information only."""

    model: str
    measurement: str
    key: str
    least: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the report."""

    model: str
    measurement: str
    bar: float | None
    reached: float
    images: int

    @property
    def is_missed(self) -> bool:
        """Whether the required value was not reached."""
        return self.bar is not None and self.reached < self.bar


BARS = (
    Bar("VAE", "reconstruction PSNR, dB", "vae.psnr_db", 28),
    Bar("Stable Diffusion, one object", "asked object found", "one.all_found", 0.90),
    Bar("Stable Diffusion, one object", "confirmed by the judge", "one.all_confirmed"),
    Bar("Stable Diffusion, one object", "background right", "one.background_right", 0.95),
    Bar("Stable Diffusion, two objects", "both found", "two.all_found", 0.65),
    Bar("Stable Diffusion, two objects", "both confirmed by the judge", "two.all_confirmed"),
    Bar("Stable Diffusion, two objects", "background right", "two.background_right"),
    Bar("InstructPix2Pix", "new background right", "edit.background_right", 0.90),
    Bar("InstructPix2Pix", "objects found where they were", "edit.objects_kept", 0.85),
    Bar("InstructPix2Pix", "the judge sees them there", "edit.objects_confirmed"),
    Bar("Blended Latent Diffusion fill", "found in the asked box", "fill.found_in_box", 0.65),
    Bar("Blended Latent Diffusion fill", "the judge sees it there", "fill.confirmed_in_box"),
    Bar("Blended Latent Diffusion fill", "outside untouched", "fill.outside_untouched", 1.0),
    Bar("Grounding DINO", "mAP@0.5 on renders", "detector.map_50", 0.90),
    Bar("Grounding DINO", "mAP@[.5:.95] on renders", "detector.map_50_95", 0.65),
    Bar("Grounding DINO", "mAP@0.5 on round trips", "detector.round_trip_map_50", 0.80),
    Bar("Segment Anything", "mean IoU, true boxes", "sam.iou_true_boxes", 0.88),
    Bar("Segment Anything", "mean IoU, detected boxes", "sam.iou_detected_boxes", 0.80),
    Bar("BLIP-2", "recall of objects", "blip2.recall", 0.90),
    Bar("BLIP-2", "precision of objects", "blip2.precision", 0.90),
    Bar("BLIP-2", "background right", "blip2.background_right", 0.95),
    Bar("OpenCLIP", "retrieval@1 among 64", "clip.retrieval_at_1_of_64", 0.80),
    Bar("OpenCLIP", "background zero-shot", "clip.background_zero_shot", 0.98),
    Bar("OpenCLIP", "AUC true / spoiled text", "clip.auc_true_against_spoiled", 0.95),
    Bar("OpenCLIP", "cosine with the true text", "clip.cosine_true"),
    Bar("OpenCLIP", "cosine with a spoiled text", "clip.cosine_spoiled"),
    Bar("Whole loop", "filter precision, half of the images good", "filter.precision", 0.90),
    Bar("Whole loop", "filter recall", "filter.recall", 0.80),
    Bar("Object judge", "objects named rightly on renders", "judges.objects_on_renders"),
    Bar("Object judge", "the same on round trips", "judges.objects_on_round_trips"),
    Bar("Object judge", "nothing named where nothing is", "judges.nothing_where_nothing_is"),
    Bar("Background judge", "right on round trips", "judges.backgrounds_on_round_trips"),
)


def evaluate(names: Sequence[str], images: int, watch: Callable[[str, int], Advance]) -> list[Row]:
    """Measure, store the results, write them into the model card, and return all of them.

    Args:
        names: Keys of MEASURES; other measurements keep their last values.
        images: Number of images of each.
        watch: Called with the next measurement and its number of images; returns a callback that
            is called with the number of images done.
    """
    with open_bench() as bench:
        for name in names:
            _keep(name, images, MEASURES[name](bench, images, watch(name, images)))
    rows = list(iter_rows())
    _write_card(rows)
    return rows


def iter_rows() -> Iterator[Row]:
    """Yield the lines of the report that have results."""
    measured = _read()
    for bar in BARS:
        name, _, value = bar.key.partition(".")
        if name in measured:
            part = measured[name]
            yield Row(bar.model, bar.measurement, bar.least, part["values"][value], part["images"])
    if part := measured.get("filter"):
        kinds = (key for key in part["values"] if key.startswith(ACCEPTED))
        for key in kinds:
            yield Row("Whole loop", key, None, part["values"][key], part["images"])


def to_markdown(rows: Sequence[Row]) -> str:
    """Return the report as a Markdown table."""
    lines = ["| model | measured | bar | reached | images |", "|---|---|---|---|---|"]
    for row in rows:
        bar = "" if row.bar is None else f">= {row.bar:g}"
        reached = f"{row.reached:.3g}{', missed' if row.is_missed else ''}"
        lines.append(f"| {row.model} | {row.measurement} | {bar} | {reached} | {row.images} |")
    return "\n".join(lines)


def _read() -> dict[str, Any]:
    return json.loads(MEASURED.read_text(encoding="utf-8")) if MEASURED.exists() else {}


def _keep(name: str, images: int, values: dict[str, float]) -> None:
    rounded = {key: round(value, 5) for key, value in values.items()}
    measured = _read() | {name: {"images": images, "values": rounded}}
    MEASURED.write_text(json.dumps(measured, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _write_card(rows: Sequence[Row]) -> None:
    card = CARD.read_text(encoding="utf-8")
    section = re.compile(f"{START}.*{END}", re.DOTALL)
    CARD.write_text(section.sub(f"{START}\n{to_markdown(rows)}\n{END}", card), encoding="utf-8")
