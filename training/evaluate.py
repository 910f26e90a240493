"""`python -m training evaluate`: measures every checkpoint and rewrites the card's table."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from training import measure_generators as generators
from training import measure_labelers as labelers
from training.dataset import held_out_set
from training.places import CHECKPOINTS

if TYPE_CHECKING:
    from collections.abc import Callable

CARD = CHECKPOINTS / "README.md"
START, END = "<!-- measured: start -->", "<!-- measured: end -->"
LABELER_SCENES, GENERATOR_SCENES = 1000, 300


@dataclass(frozen=True, slots=True)
class Bar:
    """What a measurement should reach."""

    model: str
    measurement: str
    key: str
    least: float | None


BARS = (
    Bar("VAE", "reconstruction PSNR, dB", "vae.psnr_db", 28),
    Bar("Stable Diffusion, one object", "asked object found", "one.all_found", 0.90),
    Bar("Stable Diffusion, one object", "background right", "one.background_right", 0.95),
    Bar("Stable Diffusion, two objects", "both found", "two.all_found", 0.65),
    Bar("InstructPix2Pix", "new background right", "edit.background_right", 0.90),
    Bar("InstructPix2Pix", "objects found where they were", "edit.objects_kept", 0.85),
    Bar("Blended Latent Diffusion fill", "found in the asked box", "fill.found_in_box", 0.65),
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
    Bar("OpenCLIP", "cosine with the true text", "clip.cosine_true", None),
    Bar("OpenCLIP", "cosine with a spoiled text", "clip.cosine_spoiled", None),
)


def main() -> None:
    """Measure, print the table, and write it into the model card."""
    table = to_table(measure_all())
    print(table)
    card = CARD.read_text(encoding="utf-8") if CARD.exists() else f"{START}\n{END}\n"
    section = re.compile(f"{START}.*{END}", re.DOTALL)
    CARD.write_text(section.sub(f"{START}\n{table}\n{END}", card), encoding="utf-8")


def measure_all() -> dict[str, float]:
    """Return every measurement as "model.name"; a checkpoint that is missing is left out."""
    held_out = held_out_set()
    measures: dict[str, Callable[[], dict[str, float]]] = {
        "vae": lambda: generators.measure_vae(held_out, LABELER_SCENES),
        "one": lambda: generators.measure_generate(GENERATOR_SCENES, 1),
        "two": lambda: generators.measure_generate(GENERATOR_SCENES, 2),
        "fill": lambda: generators.measure_fill(held_out, GENERATOR_SCENES),
        "detector": lambda: labelers.measure_detector(held_out, LABELER_SCENES),
        "sam": lambda: labelers.measure_sam(held_out, LABELER_SCENES),
        "blip2": lambda: labelers.measure_blip2(held_out, LABELER_SCENES),
        "clip": lambda: labelers.measure_clip(held_out, LABELER_SCENES),
        "edit": lambda: generators.measure_edit(held_out, GENERATOR_SCENES),
    }
    measured: dict[str, float] = {}
    for model, measure in measures.items():
        try:
            part = measure()
        except OSError as missing:
            print(f"{model}: not measured, {missing}")
            continue
        print(model, {name: round(value, 3) for name, value in part.items()}, flush=True)
        measured |= {f"{model}.{name}": value for name, value in part.items()}
    return measured


def to_table(measured: dict[str, float]) -> str:
    """Return the bars and what was reached as a Markdown table."""
    lines = ["| model | measured | bar | reached |", "|---|---|---|---|"]
    for bar in BARS:
        value = measured.get(bar.key)
        least = "" if bar.least is None else f">= {bar.least:g}"
        reached = "not measured" if value is None else f"{value:.3g}"
        lines.append(f"| {bar.model} | {bar.measurement} | {least} | {reached} |")
    return "\n".join(lines)
