"""Measures the detector, the mask cutter, the captioner and CLIP on held-out scenes."""

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from safetensors.torch import load_model
from torch import Tensor
from torch.nn import functional
from transformers import Blip2ForConditionalGeneration, Blip2Processor

from training import segment_anything as sam
from training import vae
from training.dataset import NO_OBJECT, Dataset
from training.judges import Detector, Found, iou
from training.open_clip import MEAN, STD
from training.places import CHECKPOINTS
from training.words import BOOK, write_plain_caption
from training.world import BACKGROUNDS, LABELS

BATCH = 50
LOW_THRESHOLD = 0.02
"""Average precision wants the unsure detections too."""


def measure_detector(held_out: Dataset, count: int) -> dict[str, float]:
    """Return box mAP on renders and on VAE round trips of them."""
    detector, pictures = Detector(), held_out.images[:count]
    model = vae.load_model()
    trips = [vae.decode(model, vae.encode(model, part)) for part in np.array_split(pictures, 20)]
    clean = average_precision(held_out, detector.detect(pictures, LOW_THRESHOLD))
    soft = average_precision(held_out, detector.detect(np.concatenate(trips), LOW_THRESHOLD))
    return {
        "map_50": clean[1],
        "map_50_95": clean[0],
        "round_trip_map_50": soft[1],
    }


def average_precision(held_out: Dataset, found: Sequence[Sequence[Found]]) -> tuple[float, float]:
    """Return COCO's mAP@[.5:.95] and mAP@0.5."""
    truth = COCO()
    annotations = []
    for image, (labels, boxes) in enumerate(
        zip(held_out.labels[: len(found)], held_out.boxes_xyxy[: len(found)], strict=True)
    ):
        for label, box in zip(labels, boxes, strict=True):
            if label == NO_OBJECT:
                continue
            width, height = box[2] - box[0], box[3] - box[1]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": int(label),
                    "bbox": [float(box[0]), float(box[1]), float(width), float(height)],
                    "area": float(width * height),
                    "iscrowd": 0,
                }
            )
    truth.dataset = {
        "images": [{"id": image} for image in range(len(found))],
        "categories": [{"id": index, "name": name} for index, name in enumerate(LABELS)],
        "annotations": annotations,
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        judge = COCOeval(truth, truth.loadRes(_as_results(found)), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return float(judge.stats[0]), float(judge.stats[1])


def _as_results(found: Sequence[Sequence[Found]]) -> list[dict[str, Any]]:
    return [
        {
            "image_id": image,
            "category_id": item.label,
            "bbox": [*item.box_xyxy[:2].tolist(), *np.subtract(*np.split(item.box_xyxy, 2)[::-1])],
            "score": item.confidence,
        }
        for image, items in enumerate(found)
        for item in items
    ]


@torch.no_grad()
def measure_sam(held_out: Dataset, count: int) -> dict[str, float]:
    """Return the mean mask IoU from true boxes and from detected ones."""
    model = sam.build_model()
    load_model(model, str(CHECKPOINTS / sam.NAME / "model.safetensors"))
    model.float().eval()
    pictures = held_out.images[:count]
    found = Detector().detect(pictures)
    true_ious, detected_ious = [], []
    for row in range(count):
        truth = held_out.masks(row)
        for slot in np.flatnonzero(held_out.labels[row] != NO_OBJECT):
            box, label = held_out.boxes_xyxy[row, slot], held_out.labels[row, slot]
            true_ious.append(_mask_iou(model, pictures[row], box, truth[slot]))
            mine = [
                f.box_xyxy for f in found[row] if f.label == label and iou(f.box_xyxy, box) > 0.5
            ]
            if mine:
                detected_ious.append(_mask_iou(model, pictures[row], mine[0], truth[slot]))
    return {
        "iou_true_boxes": float(np.mean(true_ious)),
        "iou_detected_boxes": float(np.mean(detected_ious)),
    }


def _mask_iou(
    model: Any,
    picture: NDArray[np.uint8],
    box_xyxy: NDArray[np.float32],
    truth: NDArray[np.bool_],
) -> float:
    image = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float()
    boxes = torch.from_numpy(np.array(box_xyxy, np.float32))[None]
    logits, _ = sam.predict(model, image, torch.zeros(1, dtype=torch.long), boxes)
    mask = logits[0, 0].numpy() > 0
    return float((mask & truth).sum() / max((mask | truth).sum(), 1))


def measure_blip2(held_out: Dataset, count: int) -> dict[str, float]:
    """Return recall and precision of the named objects, and the share of right backgrounds."""
    folder = CHECKPOINTS / "blip2"
    processor = Blip2Processor.from_pretrained(folder)
    model = Blip2ForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    hits = named = asked = right = 0
    for start in range(0, count, BATCH):
        rows = range(start, min(start + BATCH, count))
        inputs = processor(images=[held_out.images[row] for row in rows], return_tensors="pt")
        tokens = model.generate(**inputs, max_new_tokens=30)
        for row, caption in zip(
            rows, processor.batch_decode(tokens, skip_special_tokens=True), strict=True
        ):
            said = {word for word in caption.replace(",", " ").split() if word in LABELS}
            true = set(held_out.nouns(row))
            hits, named, asked = hits + len(said & true), named + len(said), asked + len(true)
            right += BOOK.backgrounds[held_out.background(row)].noun in caption
    return {
        "recall": hits / asked,
        "precision": hits / max(named, 1),
        "background_right": right / count,
    }


class Clip:
    """The exported OpenCLIP."""

    def __init__(self) -> None:
        name = f"local-dir:{CHECKPOINTS / 'open_clip'}"
        self._model, _, _ = open_clip.create_model_and_transforms(name)
        self._tokenizer = open_clip.get_tokenizer(name)
        self._model.float().eval()

    @torch.no_grad()
    def embed_images(self, pictures: NDArray[np.uint8]) -> Tensor:
        """Return (N, D) unit vectors."""
        images = torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float() / 255
        embedded = [self._model.encode_image((p - MEAN[0]) / STD[0]) for p in images.split(BATCH)]
        return functional.normalize(torch.cat(embedded))

    @torch.no_grad()
    def embed_texts(self, texts: list[str]) -> Tensor:
        """Return (N, D) unit vectors."""
        return functional.normalize(self._model.encode_text(self._tokenizer(texts)))


def measure_clip(held_out: Dataset, count: int) -> dict[str, float]:
    """Return retrieval, zero-shot background, and AUC of true against nearly true captions."""
    clip, rng = Clip(), np.random.default_rng(4)
    images = clip.embed_images(held_out.images[:count])
    captions = [
        write_plain_caption(held_out.nouns(i), held_out.background(i)) for i in range(count)
    ]
    texts = clip.embed_texts(captions)
    places = clip.embed_texts([BOOK.backgrounds[name].noun for name in BACKGROUNDS])
    zero_shot = (images @ places.T).argmax(1).numpy() == held_out.backgrounds[:count]
    wrong = clip.embed_texts([_spoiled(rng, held_out, row) for row in range(count)])
    good, bad = (images * texts).sum(1).numpy(), (images * wrong).sum(1).numpy()
    return {
        "retrieval_at_1_of_64": _retrieval(images, texts, captions),
        "background_zero_shot": float(zero_shot.mean()),
        "auc_true_against_spoiled": float((good[:, None] > bad[None]).mean()),
        "cosine_true": float(good.mean()),
        "cosine_spoiled": float(bad.mean()),
    }


def _retrieval(images: Tensor, texts: Tensor, captions: list[str]) -> float:
    hits = []
    for start in range(0, len(images) - 63, 64):
        part = slice(start, start + 64)
        best = (images[part] @ texts[part].T).argmax(1).tolist()
        hits += [captions[start + b] == captions[start + i] for i, b in enumerate(best)]
    return float(np.mean(hits))


def _spoiled(rng: np.random.Generator, held_out: Dataset, row: int) -> str:
    nouns, background = held_out.nouns(row), held_out.background(row)
    if rng.random() < 0.5:
        others = [name for name in BACKGROUNDS if name != background]
        return write_plain_caption(nouns, str(rng.choice(others)))
    nouns[rng.integers(len(nouns))] = str(rng.choice([n for n in LABELS if n not in nouns]))
    return write_plain_caption(nouns, background)
