"""Measures the autoencoder, Stable Diffusion, InstructPix2Pix and the fill on held-out scenes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from diffusers import (
    StableDiffusionInpaintPipeline,
    StableDiffusionInstructPix2PixPipeline,
    StableDiffusionPipeline,
)
from numpy.typing import NDArray
from PIL import Image

from training import vae
from training.dataset import NO_OBJECT, Dataset
from training.judges import Detector, Found, background_classifier, is_found
from training.places import CHECKPOINTS
from training.words import BOOK, write_instruction
from training.world import BACKGROUNDS, LABELS
from workers.rulebook import describe, describe_close_up

BATCH = 50
STEPS = 20
GUIDANCE, FILL_GUIDANCE = 3.0, 2.5
EDIT_GUIDANCE, EDIT_IMAGE_GUIDANCE = 3.0, 2.5
FILL_SIDES_PX = (16, 34)
CLOSE_UP_PX = 48


def load_pipeline(kind: type[Any], name: str) -> Any:
    """Return an exported pipeline in float32, silent."""
    pipeline = kind.from_pretrained(CHECKPOINTS / name, torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def run_in_batches(pipeline: Any, count: int, arguments: dict[str, Any]) -> NDArray[np.uint8]:
    """Return (N, 64, 64, 3) uint8; list arguments are cut in batches, one seed per image."""
    pictures = []
    for start in range(0, count, BATCH):
        part = {
            name: value[start : start + BATCH] if isinstance(value, list) else value
            for name, value in arguments.items()
        }
        size = min(BATCH, count - start)
        generators = [torch.Generator().manual_seed(start + index) for index in range(size)]
        with torch.autocast("cpu", torch.bfloat16):
            images = pipeline(**part, generator=generators, output_type="np").images
        pictures.append((images * 255).round().astype(np.uint8))
    return np.concatenate(pictures)


def measure_vae(held_out: Dataset, count: int) -> dict[str, float]:
    """Return the reconstruction PSNR in dB."""
    model = load_pipeline(StableDiffusionPipeline, "stable_diffusion").vae
    return {"psnr_db": vae.psnr(model, held_out.images[:count])}


def generate(prompts: list[str], guidance_scale: float = GUIDANCE) -> NDArray[np.uint8]:
    """Return one Stable Diffusion sample per prompt."""
    pipeline = load_pipeline(StableDiffusionPipeline, "stable_diffusion")
    arguments = {
        "prompt": prompts,
        "height": 64,
        "width": 64,
        "num_inference_steps": STEPS,
        "guidance_scale": guidance_scale,
    }
    return run_in_batches(pipeline, len(prompts), arguments)


def measure_generate(count: int, objects: int) -> dict[str, float]:
    """Return how often all asked objects are found and the background is right."""
    rng = np.random.default_rng(objects)
    asked = [rng.choice(len(LABELS), objects, replace=False) for _ in range(count)]
    backgrounds = rng.integers(0, len(BACKGROUNDS), count)
    prompts = [
        describe([LABELS[i] for i in labels], BOOK.backgrounds[BACKGROUNDS[b]].place)
        for labels, b in zip(asked, backgrounds, strict=True)
    ]
    pictures = generate(prompts)
    found = Detector().detect(pictures)
    return {
        "all_found": share(
            all(is_found(items, int(i), None) for i in labels)
            for labels, items in zip(asked, found, strict=True)
        ),
        "background_right": share(background_classifier().classify(pictures) == backgrounds),
    }


def measure_edit(held_out: Dataset, count: int) -> dict[str, float]:
    """Return how often the new background is right and how many objects stay in their place."""
    pipeline = load_pipeline(StableDiffusionInstructPix2PixPipeline, "instruct_pix2pix")
    instructions = [write_instruction(held_out.edited_background(i)) for i in range(count)]
    arguments = {
        "prompt": instructions,
        "image": [Image.fromarray(picture) for picture in held_out.images[:count]],
        "num_inference_steps": STEPS,
        "guidance_scale": EDIT_GUIDANCE,
        "image_guidance_scale": EDIT_IMAGE_GUIDANCE,
    }
    pictures = run_in_batches(pipeline, count, arguments)
    right = background_classifier().classify(pictures) == held_out.edited_backgrounds[:count]
    kept = objects_kept(held_out, Detector().detect(pictures))
    return {"background_right": share(right), "objects_kept": share(kept)}


def objects_kept(held_out: Dataset, found: Sequence[Sequence[Found]]) -> list[bool]:
    """Return for every true object whether it was found where it is (IoU >= 0.5)."""
    return [
        is_found(items, int(label), box)
        for index, items in enumerate(found)
        for label, box in zip(held_out.labels[index], held_out.boxes_xyxy[index], strict=True)
        if label != NO_OBJECT
    ]


def measure_fill(held_out: Dataset, count: int) -> dict[str, float]:
    """Return how often the asked object is found in the asked box."""
    rows, labels, boxes = draw_fills(held_out, count)
    prompts = [
        describe_close_up(LABELS[label], BOOK.backgrounds[held_out.background(row)].place)
        for row, label in zip(rows, labels, strict=True)
    ]
    pictures = fill_close_up(held_out.images[rows], boxes, prompts)
    found = Detector().detect(pictures)
    hits = (is_found(f, int(i), b) for f, i, b in zip(found, labels, boxes, strict=True))
    return {"found_in_box": share(hits)}


def fill_close_up(
    pictures: NDArray[np.uint8], boxes: NDArray[np.int64], prompts: list[str]
) -> NDArray[np.uint8]:
    """Return the pictures with each box filled, worked on in an enlarged crop around it.

    In the whole image the object could stand anywhere, so the small model mostly leaves the box
    empty; in a crop that the box nearly fills it has nowhere else to go.
    """
    squares = [crop_around(box) for box in boxes]
    crops, inner = [], []
    for picture, (left, top, side), box in zip(pictures, squares, boxes, strict=True):
        crop = Image.fromarray(picture[top : top + side, left : left + side])
        crops.append(np.asarray(crop.resize((64, 64), Image.Resampling.BICUBIC)))
        scaled = (box - np.array([left, top, left, top])) * 64 / side
        inner.append([*np.floor(scaled[:2]), *np.ceil(scaled[2:])])
    filled = np.array(pictures)
    painted = fill(np.stack(crops), np.array(inner, np.int64), prompts)
    for picture, (left, top, side), box, whole in zip(filled, squares, boxes, painted, strict=True):
        small = Image.fromarray(whole).resize((side, side), Image.Resampling.LANCZOS)
        x1, y1, x2, y2 = box
        picture[y1:y2, x1:x2] = np.asarray(small)[y1 - top : y2 - top, x1 - left : x2 - left]
    return filled


def crop_around(box: NDArray[np.int64]) -> tuple[int, int, int]:
    """Return left, top and side of the square in which the box spans CLOSE_UP_PX of 64 pixels."""
    longest = int(max(box[2] - box[0], box[3] - box[1]))
    side = min(64, max(longest + 2, round(longest * 64 / CLOSE_UP_PX)))
    left, top = (
        int(np.clip(round((box[axis] + box[axis + 2]) / 2 - side / 2), 0, 64 - side))
        for axis in (0, 1)
    )
    return left, top, side


def fill(
    pictures: NDArray[np.uint8], boxes: NDArray[np.int64], prompts: list[str]
) -> NDArray[np.uint8]:
    """Return Blended Latent Diffusion's pictures, the outside of each box pasted back."""
    base = load_pipeline(StableDiffusionPipeline, "stable_diffusion")
    pipeline = StableDiffusionInpaintPipeline(**base.components, requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    masks = np.zeros(pictures.shape[:3], bool)
    for mask, (left, top, right, bottom) in zip(masks, boxes, strict=True):
        mask[top:bottom, left:right] = True
    arguments = {
        "prompt": prompts,
        "image": [Image.fromarray(picture) for picture in pictures],
        "mask_image": [Image.fromarray(mask.astype(np.uint8) * 255) for mask in masks],
        "height": 64,
        "width": 64,
        "strength": 1.0,
        "num_inference_steps": STEPS,
        "guidance_scale": FILL_GUIDANCE,
    }
    painted = run_in_batches(pipeline, len(prompts), arguments)
    return np.where(masks[..., None], painted, pictures)


def draw_fills(
    held_out: Dataset, count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return scenes, absent labels and free boxes of the placement rule, `count` of each."""
    rng = np.random.default_rng(7)
    rows, labels, boxes = [], [], []
    for row in range(len(held_out)):
        box = free_box(rng, held_out.boxes_xyxy[row][held_out.labels[row] != NO_OBJECT])
        if box is None or held_out.is_close_up[row]:
            continue
        absent = [label for label in range(len(LABELS)) if label not in held_out.labels[row]]
        rows.append(row)
        labels.append(int(rng.choice(absent)))
        boxes.append(box)
        if len(rows) == count:
            break
    return np.array(rows), np.array(labels), np.array(boxes)


def free_box(
    rng: np.random.Generator, taken: NDArray[np.float32]
) -> tuple[int, int, int, int] | None:
    """Return a random box that touches none of the taken ones, if one is found soon."""
    for _ in range(40):
        width, height = rng.integers(FILL_SIDES_PX[0], FILL_SIDES_PX[1] + 1, 2)
        left, top = rng.integers(0, 64 - width + 1), rng.integers(0, 64 - height + 1)
        apart = (
            (taken[:, 0] >= left + width)
            | (taken[:, 2] <= left)
            | (taken[:, 1] >= top + height)
            | (taken[:, 3] <= top)
        )
        if apart.all() and max(width, height) <= 1.5 * min(width, height):
            return int(left), int(top), int(left + width), int(top + height)
    return None


def share(hits: Any) -> float:
    """Return the share of hits in [0, 1]."""
    return float(np.mean(list(hits)))
