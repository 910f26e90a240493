"""Training of a tiny network of segment_anything's own classes, for masks from boxes."""

import json
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_model
from segment_anything.modeling import (
    ImageEncoderViT,
    MaskDecoder,
    PromptEncoder,
    Sam,
    TwoWayTransformer,
)
from torch import Tensor, nn
from torch.nn import functional

from training.dataset import NO_OBJECT, Dataset, train_set
from training.export import exporting, to_half
from training.loop import Plan, Trainer
from training.places import CHECKPOINTS, STATES
from training.softened import Softener

NAME = "segment_anything"
BATCH = 24
WIDTH, SIZE_PX, PATCH_PX = 64, 64, 4
GRID = SIZE_PX // PATCH_PX
JITTER_PX = 1.5
CONFIG: dict[str, Any] = {
    "image_encoder": {
        "img_size": SIZE_PX,
        "patch_size": PATCH_PX,
        "embed_dim": 96,
        "depth": 3,
        "num_heads": 4,
        "mlp_ratio": 2.0,
        "out_chans": WIDTH,
        "use_rel_pos": True,
        "window_size": 8,
        "global_attn_indexes": [2],
    },
    "prompt_encoder": {
        "embed_dim": WIDTH,
        "image_embedding_size": [GRID, GRID],
        "input_image_size": [SIZE_PX, SIZE_PX],
        "mask_in_chans": 8,
    },
    "mask_decoder": {
        "transformer_dim": WIDTH,
        "transformer": {"depth": 2, "embedding_dim": WIDTH, "num_heads": 4, "mlp_dim": 128},
        "num_multimask_outputs": 3,
        "iou_head_depth": 2,
        "iou_head_hidden_dim": 64,
    },
    "pixel_mean": [127.5, 127.5, 127.5],
    "pixel_std": [64.0, 64.0, 64.0],
}


class FineLayerNorm(nn.LayerNorm):
    """The layer norm of the paper's encoder: eps 1e-6."""

    def __init__(self, width: int) -> None:
        super().__init__(width, eps=1e-6)


def build_model() -> Sam:
    """Return the untrained network of CONFIG."""
    decoder = dict(CONFIG["mask_decoder"])
    transformer = TwoWayTransformer(**decoder.pop("transformer"))
    prompts = CONFIG["prompt_encoder"]
    return Sam(
        ImageEncoderViT(norm_layer=FineLayerNorm, **CONFIG["image_encoder"]),
        PromptEncoder(
            prompts["embed_dim"],
            tuple(prompts["image_embedding_size"]),
            tuple(prompts["input_image_size"]),
            prompts["mask_in_chans"],
        ),
        MaskDecoder(transformer=transformer, **decoder),
        CONFIG["pixel_mean"],
        CONFIG["pixel_std"],
    )


def predict(model: Sam, images: Tensor, owners: Tensor, boxes_xyxy: Tensor) -> tuple[Tensor, ...]:
    """Return mask logits (N, 4, 64, 64) and predicted IoUs (N, 4).

    Args:
        model: The network.
        images: (B, 3, 64, 64) in [0, 255].
        owners: (N,) the image of each box.
        boxes_xyxy: (N, 4) pixels.
    """
    features = model.image_encoder((images - model.pixel_mean) / model.pixel_std)
    sparse, dense = model.prompt_encoder(points=None, boxes=boxes_xyxy, masks=None)
    position = model.prompt_encoder.get_dense_pe()
    low, ious = [], []
    for index in owners.unique():
        mine = owners == index
        mask, iou = model.mask_decoder.predict_masks(
            features[index : index + 1], position, sparse[mine], dense[mine]
        )
        low.append(mask)
        ious.append(iou)
    full = functional.interpolate(torch.cat(low).float(), (SIZE_PX, SIZE_PX), mode="bilinear")
    return full, torch.cat(ious).float()


class MaskTrainer:
    """Draws boxes, jittered, and computes the losses."""

    def __init__(self, model: Sam, dataset: Dataset) -> None:
        self._model, self._dataset = model, dataset
        self._rng = np.random.default_rng()
        self._softener = Softener(STATES)

    def losses(self, step: int) -> dict[str, Tensor]:
        """Return mask, Dice and IoU losses of a random batch."""
        rows = self._softener.draw_rows(self._dataset, BATCH)
        images = self._softener.soften(self._dataset, rows, step) * 255
        owners, slots = np.nonzero(self._dataset.labels[rows] != NO_OBJECT)
        boxes = torch.from_numpy(self._dataset.boxes_xyxy[rows][owners, slots])
        jitter = torch.randn_like(boxes) * JITTER_PX * torch.rand(len(boxes), 1)
        truth = torch.from_numpy(self._dataset.masks(rows)[owners, slots]).float()[:, None]
        logits, ious = predict(
            self._model, images, torch.from_numpy(owners), (boxes + jitter).clamp(0, SIZE_PX)
        )
        return mask_losses(logits, ious, truth.expand_as(logits))


def mask_losses(logits: Tensor, ious: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """Return cross entropy, Dice and the error of the predicted IoU, over all mask outputs."""
    chance = logits.sigmoid()
    shared = (chance * truth).sum((2, 3))
    dice = 1 - (2 * shared + 1) / (chance.sum((2, 3)) + truth.sum((2, 3)) + 1)
    hard = logits.detach() > 0
    found = (hard & (truth > 0)).sum((2, 3)) / (hard | (truth > 0)).sum((2, 3)).clamp(min=1)
    return {
        "cross_entropy": 5 * functional.binary_cross_entropy_with_logits(logits, truth),
        "dice": dice.mean(),
        "iou": functional.mse_loss(ious, found),
    }


def train(minutes: float) -> None:
    """Train and export the network."""
    model = build_model()
    work = MaskTrainer(model, train_set())

    def export() -> None:
        """Write the network and its configuration."""
        with exporting(CHECKPOINTS / NAME) as folder:
            (folder / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n", "utf-8")
            save_model(to_half(model), str(folder / "model.safetensors"))

    Trainer(Plan(NAME, minutes, lr=1e-3, export_every_minutes=3), model).fit(work.losses, export)
