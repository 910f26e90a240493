"""Training of a tiny Grounding DINO of transformers from scratch.

The class detaches its encoder proposals before their loss, which suits only fine-tuning. Therefore
the proposals get a separate dense loss here, on every cell of the encoder.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.ops import generalized_box_iou_loss, sigmoid_focal_loss
from transformers import (
    BertTokenizerFast,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    GroundingDinoImageProcessor,
    GroundingDinoProcessor,
)

from training.backgrounds import SIZE_PX
from training.dataset import NO_OBJECT, Dataset, train_set
from training.export import exporting, to_half
from training.loop import Plan, Trainer
from training.places import CHECKPOINTS, STATES
from training.softened import Softener
from training.words import detector_vocabulary
from training.world import LABELS

NAME = "grounding_dino"
BATCH = 24
PRIOR_LOGIT = -4.0
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
MAX_TOKENS = 80
KEPT_SHARE = 0.9
DENSE_FOCAL, DENSE_L1, DENSE_GIOU = 2.0, 5.0, 2.0
"""Weights of the dense loss on the encoder's cells."""


def build_config() -> GroundingDinoConfig:
    """Return the tiny architecture: strides 4, 8 and 16, two encoder and two decoder layers."""
    backbone = {
        "model_type": "swin",
        "image_size": SIZE_PX,
        "patch_size": 2,
        "embed_dim": 32,
        "depths": [1, 1, 2, 1],
        "num_heads": [2, 2, 4, 8],
        "window_size": 8,
        "drop_path_rate": 0.0,
        "out_indices": [2, 3, 4],
    }
    text = {
        "model_type": "bert",
        "vocab_size": len(detector_vocabulary()),
        "hidden_size": 96,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "intermediate_size": 192,
        "max_position_embeddings": MAX_TOKENS,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    }
    return GroundingDinoConfig(
        backbone_config=backbone,
        text_config=text,
        d_model=96,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=256,
        decoder_ffn_dim=256,
        num_queries=20,
        num_feature_levels=3,
        max_text_len=MAX_TOKENS,
        auxiliary_loss=True,
        dropout=0.0,
        fusion_droppath=0.0,
    )


def build_model() -> GroundingDinoForObjectDetection:
    """Return the untrained detector; its class logits start near a rare-object prior."""
    model = GroundingDinoForObjectDetection(build_config())
    core = model.model
    text_norm = core.encoder.layers[-1].text_enhancer_layer.layer_norm_after
    for norm, bias in (
        (text_norm, 2.0),
        (core.enc_output_norm, PRIOR_LOGIT / 2.0),
        (core.decoder.layer_norm, PRIOR_LOGIT / 2.0),
    ):
        nn.init.constant_(norm.weight, 0.3)
        with torch.no_grad():
            norm.bias[0] = bias
    return model


def build_processor(folder: Path) -> GroundingDinoProcessor:
    """Return tokenizer and image processor; the latter keeps 64x64 images at their size."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(detector_vocabulary()) + "\n", encoding="utf-8")
    tokenizer = BertTokenizerFast(
        str(folder / "vocab.txt"), do_lower_case=True, model_max_length=MAX_TOKENS
    )
    image_processor = GroundingDinoImageProcessor(
        size={"height": SIZE_PX, "width": SIZE_PX},
        image_mean=MEAN,
        image_std=STD,
        do_pad=False,
    )
    return GroundingDinoProcessor(image_processor=image_processor, tokenizer=tokenizer)


def draw_labels(
    rng: np.random.Generator, present: NDArray[np.int8], count: int
) -> NDArray[np.int64]:
    """Return `count` labels in random order: most of those present, the rest absent."""
    here = [label for label in present if label != NO_OBJECT]
    kept = [label for label in here if rng.random() < KEPT_SHARE]
    absent = rng.permutation([label for label in range(len(LABELS)) if label not in here])
    left_out = [label for label in here if label not in kept]
    return rng.permutation([*kept, *absent, *left_out][:count]).astype(np.int64)


class DetectorTrainer:
    """Draws prompts, softens images and computes the losses."""

    def __init__(self, model: GroundingDinoForObjectDetection, dataset: Dataset) -> None:
        self._model, self._dataset = model, dataset
        self._rng = np.random.default_rng()
        self._softener = Softener(STATES)
        self._vocabulary = {word: index for index, word in enumerate(detector_vocabulary())}

    def losses(self, step: int) -> dict[str, Tensor]:
        """Return the losses of a random batch."""
        rows = self._softener.draw_rows(self._dataset, BATCH)
        images = self._softener.soften(self._dataset, rows, step)
        count = int(self._rng.choice((4, 8, 12, len(LABELS)), p=(0.15, 0.2, 0.25, 0.4)))
        asked = [draw_labels(self._rng, self._dataset.labels[row], count) for row in rows]
        targets = [self._target(row, labels) for row, labels in zip(rows, asked, strict=True)]
        with torch.autocast("cpu", torch.bfloat16):
            outputs = self._model(
                pixel_values=(images - MEAN[0]) / STD[0],
                input_ids=self._tokens(asked),
                labels=targets,
            )
        return {
            "decoder": decoder_loss(outputs.loss_dict),
            **dense_losses(
                outputs.enc_outputs_class.float(),
                outputs.enc_outputs_coord_logits.float().sigmoid(),
                targets,
            ),
        }

    def _tokens(self, asked: list[NDArray[np.int64]]) -> Tensor:
        stop = self._vocabulary["."]
        rows = [
            [self._vocabulary["[CLS]"]]
            + [token for i in labels for token in (self._vocabulary[LABELS[i]], stop)]
            + [self._vocabulary["[SEP]"]]
            for labels in asked
        ]
        return torch.tensor(rows)

    def _target(self, row: int, asked: NDArray[np.int64]) -> dict[str, Tensor]:
        slots = [slot for slot in range(3) if self._dataset.labels[row, slot] in asked]
        boxes = torch.from_numpy(self._dataset.boxes_xyxy[row, slots].reshape(-1, 4) / SIZE_PX)
        positions = [int(np.flatnonzero(asked == self._dataset.labels[row, s])[0]) for s in slots]
        centres, sizes = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
        return {
            "class_labels": torch.tensor(positions, dtype=torch.long),
            "boxes": torch.cat([centres, sizes], 1),
        }


def decoder_loss(losses: dict[str, Tensor]) -> Tensor:
    """Return transformers' weighted loss without its encoder part, which trains no proposal."""
    weights = {"loss_ce": 2.0, "loss_bbox": 5.0, "loss_giou": 2.0}
    return torch.stack(
        [
            weights[name.removesuffix("_0")] * value
            for name, value in losses.items()
            if name.removesuffix("_0") in weights
        ]
    ).sum()


def cell_centres() -> Tensor:
    """Return (336, 2) centres of the encoder's cells at strides 4, 8 and 16, in [0, 1]."""
    grids = []
    for side in (16, 8, 4):
        y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
        grids.append((torch.stack([x, y], -1).reshape(-1, 2) + 0.5) / side)
    return torch.cat(grids)


def dense_losses(
    logits: Tensor, boxes: Tensor, targets: list[dict[str, Tensor]]
) -> dict[str, Tensor]:
    """Return focal and box losses on every encoder cell.

    Args:
        logits: (B, 336, tokens) class logits, -inf on padding.
        boxes: (B, 336, 4) predicted boxes as centre and size, in [0, 1].
        targets: As for transformers' `labels=`; a label's token is at 1 + 2 * its position.
    """
    centres = cell_centres()
    wanted = torch.zeros_like(logits)
    predicted, true, shares = [], [], []
    for index, target in enumerate(targets):
        for position, box in zip(target["class_labels"], target["boxes"], strict=True):
            inside = ((centres - box[:2]).abs() < box[2:] * 0.25).all(-1)
            wanted[index, inside, 1 + 2 * position] = 1
            predicted.append(boxes[index, inside])
            true.append(box.expand(int(inside.sum()), 4))
            shares.append(torch.full((int(inside.sum()),), 1 / max(int(inside.sum()), 1)))
    finite = torch.isfinite(logits)
    objects = max(sum(len(target["boxes"]) for target in targets), 1)
    positives = wanted.sum().clamp(min=1)
    focal = sigmoid_focal_loss(logits[finite], wanted[finite], reduction="sum") / positives
    weight = torch.cat(shares) / objects
    off, on = torch.cat(predicted), torch.cat(true)
    giou = generalized_box_iou_loss(_corners(off), _corners(on), reduction="none")
    return {
        "focal": DENSE_FOCAL * focal,
        "l1": DENSE_L1 * (weight[:, None] * (off - on).abs()).sum(),
        "giou": DENSE_GIOU * (weight * giou).sum(),
    }


def _corners(boxes: Tensor) -> Tensor:
    centres, sizes = boxes[..., :2], boxes[..., 2:]
    return torch.cat([centres - sizes / 2, centres + sizes / 2], -1)


def train(minutes: float) -> None:
    """Train and export the detector."""
    model = build_model()
    work = DetectorTrainer(model, train_set())
    backbone = [p for n, p in model.named_parameters() if ".backbone." in n]
    rest = [p for n, p in model.named_parameters() if ".backbone." not in n]
    plan = Plan(NAME, minutes, lr=1e-3)
    groups: list[dict[str, Any]] = [{"params": backbone, "lr_scale": 0.6}, {"params": rest}]

    def export() -> None:
        """Write the detector and its processor."""
        with exporting(CHECKPOINTS / NAME) as folder:
            to_half(model).save_pretrained(folder)
            build_processor(folder).save_pretrained(folder)

    Trainer(plan, model, groups).fit(work.losses, export)
