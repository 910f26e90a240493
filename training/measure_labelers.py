"""Measurement of the detector, the segmenter, the captioner and CLIP, as the product runs them."""

import contextlib
import dataclasses
import io
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from chatgenimage.tasks.label import cut
from chatgenimage.workers import boxes
from chatgenimage.workers.interfaces import Captioner, ImageTextEncoder, Segmenter
from chatgenimage.workers.registry import load_family
from chatgenimage.workers.values import Detection, Embeddings, Mask, RgbImage
from training.bench import (
    SAME_PLACE_IOU,
    Advance,
    Bench,
    LabelledBox,
    iter_batches,
    share,
)
from training.dataset import Dataset
from training.words import BOOK, write_plain_caption
from training.world import BACKGROUNDS, LABELS

MaskedBox: TypeAlias = tuple[Detection, Mask]

LOW_THRESHOLD = 0.02
"""Average precision needs the detections of low confidence too."""
GALLERY = 64


def measure_detector(bench: Bench, count: int, advance: Advance) -> dict[str, float]:
    """Return box mAP on renders and on VAE round trips of them."""
    unsure = _with_unsure_detections(bench)
    clean: list[list[Detection]] = []
    soft: list[list[Detection]] = []
    for rows in iter_batches(count, advance):
        images = list(bench.held_out.images[list(rows)])
        clean += unsure.detect(images)
        soft += unsure.detect(bench.round_trip(images))
    truth = [bench.truth(row) for row in range(count)]
    on_clean, on_soft = average_precision(truth, clean), average_precision(truth, soft)
    return {"map_50": on_clean[1], "map_50_95": on_clean[0], "round_trip_map_50": on_soft[1]}


def _with_unsure_detections(bench: Bench) -> Bench:
    """Return the bench with a detector that also reports detections of low confidence."""
    [settings] = [f for f in bench.settings.families.values() if f.family == "grounding_dino"]
    unsure = load_family(settings.model_copy(update={"box_threshold": LOW_THRESHOLD}), "cpu")
    return dataclasses.replace(
        bench, resources=dataclasses.replace(bench.resources, families=[unsure])
    )


def average_precision(
    truth: Sequence[Sequence[LabelledBox]], found: Sequence[Sequence[Detection]]
) -> tuple[float, float]:
    """Return COCO's mAP@[.5:.95] and mAP@0.5."""
    coco = COCO()
    annotations = [
        {"id": number, "iscrowd": 0, "area": boxes.box_area(box), **_to_coco(image, label, box)}
        for number, (image, (label, box)) in enumerate(
            ((image, item) for image, items in enumerate(truth) for item in items), start=1
        )
    ]
    coco.dataset = {
        "images": [{"id": image} for image in range(len(truth))],
        "categories": [{"id": index, "name": name} for index, name in enumerate(LABELS)],
        "annotations": annotations,
    }
    results = [
        {"score": item.confidence, **_to_coco(image, item.label, item.box_xyxy)}
        for image, items in enumerate(found)
        for item in items
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
        judge = COCOeval(coco, coco.loadRes(results), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return float(judge.stats[0]), float(judge.stats[1])


def _to_coco(image: int, label: str, box: Sequence[float]) -> dict[str, Any]:
    x_min, y_min, x_max, y_max = box
    return {
        "image_id": image,
        "category_id": LABELS.index(label),
        "bbox": [x_min, y_min, x_max - x_min, y_max - y_min],
    }


def measure_sam(bench: Bench, count: int, advance: Advance) -> dict[str, float]:
    """Return the mean mask IoU from true boxes and from detected ones."""
    from_true: list[float] = []
    from_detected: list[float] = []
    for rows in iter_batches(count, advance):
        images = list(bench.held_out.images[list(rows)])
        true = [_masked_truth(bench, row) for row in rows]
        detected = [
            _found_again(truth, found)
            for truth, found in zip(true, bench.detect(images), strict=True)
        ]
        from_true += _mask_ious(bench, images, true)
        from_detected += _mask_ious(bench, images, detected)
    return {
        "iou_true_boxes": float(np.mean(from_true)),
        "iou_detected_boxes": float(np.mean(from_detected)),
    }


def _masked_truth(bench: Bench, row: int) -> list[MaskedBox]:
    """Return every object of a held-out scene with its true mask."""
    pairs = zip(bench.truth(row), bench.held_out.masks(row), strict=False)
    return [(Detection(label, 1.0, box), mask) for (label, box), mask in pairs]


def _found_again(truth: Sequence[MaskedBox], found: Sequence[Detection]) -> list[MaskedBox]:
    """Return the most confident detection of each object that was found in its place."""
    return [
        (detection, mask)
        for item, mask in truth
        for detection in [next((other for other in found if _is_same(item, other)), None)]
        if detection
    ]


def _is_same(one: Detection, other: Detection) -> bool:
    return one.label == other.label and boxes.iou(one.box_xyxy, other.box_xyxy) >= SAME_PLACE_IOU


def _mask_ious(
    bench: Bench, images: Sequence[RgbImage], asked: Sequence[Sequence[MaskedBox]]
) -> list[float]:
    """Return the IoUs of the product's masks in these boxes with the true masks."""
    detections = [[detection for detection, _ in items] for items in asked]
    masks = cut(bench.resources.able(Segmenter), images, detections)
    return [
        _iou(mask, truth)
        for items, cut_out in zip(asked, masks, strict=True)
        for (_, truth), mask in zip(items, cut_out, strict=True)
    ]


def _iou(mask: Mask, truth: Mask) -> float:
    return float((mask & truth).sum() / max((mask | truth).sum(), 1))


def measure_blip2(bench: Bench, count: int, advance: Advance) -> dict[str, float]:
    """Return recall and precision of the named objects, and the share of right backgrounds."""
    captioner = bench.resources.able(Captioner)
    hits = named = asked = right = 0
    for rows in iter_batches(count, advance):
        captions = captioner.caption(list(bench.held_out.images[list(rows)]))
        for row, caption in zip(rows, captions, strict=True):
            said = {word for word in caption.replace(",", " ").split() if word in LABELS}
            true = set(bench.held_out.nouns(row))
            hits, named, asked = hits + len(said & true), named + len(said), asked + len(true)
            right += BOOK.backgrounds[bench.held_out.background(row)].noun in caption
    return {
        "recall": hits / asked,
        "precision": hits / max(named, 1),
        "background_right": right / count,
    }


def measure_clip(bench: Bench, count: int, advance: Advance) -> dict[str, float]:
    """Return retrieval, zero-shot background, and AUC of true against nearly true captions."""
    encoder, held_out = bench.resources.able(ImageTextEncoder), bench.held_out
    rng, nouns = np.random.default_rng(4), [BOOK.backgrounds[name].noun for name in BACKGROUNDS]
    captions = [
        write_plain_caption(held_out.nouns(row), held_out.background(row)) for row in range(count)
    ]
    spoiled = [_spoiled(rng, held_out, row) for row in range(count)]
    images = np.concatenate(
        [
            encoder.embed_images(list(held_out.images[list(rows)]))
            for rows in iter_batches(count, advance)
        ]
    )
    texts, wrong = encoder.embed_texts(captions), encoder.embed_texts(spoiled)
    zero_shot = (images @ encoder.embed_texts(nouns).T).argmax(1) == held_out.backgrounds[:count]
    good, bad = (images * texts).sum(1), (images * wrong).sum(1)
    return {
        "retrieval_at_1_of_64": _retrieval(images, texts, captions),
        "background_zero_shot": float(zero_shot.mean()),
        "auc_true_against_spoiled": float((good[:, None] > bad[None]).mean()),
        "cosine_true": float(good.mean()),
        "cosine_spoiled": float(bad.mean()),
    }


def _retrieval(images: Embeddings, texts: Embeddings, captions: list[str]) -> float:
    """Return how often an image's own caption is the nearest in its gallery."""
    hits: list[bool] = []
    for start in range(0, max(len(images) - GALLERY, 0) + 1, GALLERY):
        part = slice(start, start + GALLERY)
        best = (images[part] @ texts[part].T).argmax(1).tolist()
        hits += [captions[start + b] == captions[start + i] for i, b in enumerate(best)]
    return share(hits)


def _spoiled(rng: np.random.Generator, held_out: Dataset, row: int) -> str:
    """Return a caption with one wrong object or a wrong background."""
    nouns, background = held_out.nouns(row), held_out.background(row)
    if rng.random() < 0.5:
        others = [name for name in BACKGROUNDS if name != background]
        return write_plain_caption(nouns, str(rng.choice(others)))
    nouns[rng.integers(len(nouns))] = str(rng.choice([n for n in LABELS if n not in nouns]))
    return write_plain_caption(nouns, background)
