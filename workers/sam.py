"""Segment Anything (Kirillov et al. 2023): masks from boxes, with Meta's own network."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from safetensors.torch import load_file
from segment_anything import sam_model_registry
from segment_anything.modeling import (
    ImageEncoderViT,
    MaskDecoder,
    PromptEncoder,
    Sam,
    TwoWayTransformer,
)
from segment_anything.utils.transforms import ResizeLongestSide
from torch import nn

from chatgenimage.workers.config import SegmentAnythingConfig
from chatgenimage.workers.device import inference, to_dtype
from chatgenimage.workers.errors import CheckpointBroken
from chatgenimage.workers.values import BoxXyxy, Mask, ModelIdentity, RgbImage
from chatgenimage.workers.weights import local_files

WIDTH_KEY = "image_encoder.patch_embed.proj.weight"
META_MODELS = {768: "vit_b", 1024: "vit_l", 1280: "vit_h"}
"""Meta's published networks by the width of their image encoder."""


@dataclass(frozen=True, slots=True)
class SegmentAnything:
    """A Segmenter."""

    config: SegmentAnythingConfig
    identity: ModelIdentity
    _sam: Sam

    @classmethod
    def load(cls, config: SegmentAnythingConfig, device: str) -> Self:
        """Return the family ready on `device`.

        The checkpoint is a `.pth` file as Meta publishes it, or a folder with `config.json` and
        `model.safetensors` for a network of another size. Only the image encoder computes in
        `dtype`: the box encoder supports only float32, and the mask decoder costs little.

        Raises:
            CheckpointNotFound: If there are no weights.
            CheckpointBroken: If they do not load.
        """
        path = local_files.locate(config)
        with local_files.loading(config.checkpoint):
            sam = _from_meta(path) if path.is_file() else _from_folder(path)
        sam.to(device).eval().image_encoder.to(to_dtype(config.dtype))
        return cls(config, local_files.identity_of(config, path), sam)

    @inference
    def segment(
        self, images: Sequence[RgbImage], boxes_xyxy: Sequence[Sequence[BoxXyxy]]
    ) -> list[list[Mask]]:
        """Return one (H, W) mask per box, in the boxes' order; an image without boxes gives [].

        Args:
            images: (H, W, 3) each; sizes may differ. Each is embedded once.
            boxes_xyxy: Per image, in its pixels.
        """
        masks: list[list[Mask]] = [[] for _ in images]
        asked = [
            index for index, (_, boxes) in enumerate(zip(images, boxes_xyxy, strict=True)) if boxes
        ]
        if not asked:
            return masks
        embeddings = self._embed([images[index] for index in asked])
        for index, embedding in zip(asked, embeddings, strict=True):
            masks[index] = self._cut_out(
                embedding, images[index].shape[:2], np.array(boxes_xyxy[index], dtype=np.float64)
            )
        return masks

    @property
    def _transform(self) -> ResizeLongestSide:
        return ResizeLongestSide(self._sam.image_encoder.img_size)

    def _embed(self, images: Sequence[RgbImage]) -> torch.Tensor:
        """Return (N, C, h, w) float32 image embeddings."""
        squares = [
            self._sam.preprocess(
                torch.from_numpy(self._transform.apply_image(image))
                .permute(2, 0, 1)
                .to(self._sam.device)
            )
            for image in images
        ]
        dtype = next(self._sam.image_encoder.parameters()).dtype
        embeddings: torch.Tensor = self._sam.image_encoder(torch.stack(squares).to(dtype))
        return embeddings.float()

    def _cut_out(
        self, embedding: torch.Tensor, shape_hw: tuple[int, ...], boxes: np.ndarray
    ) -> list[Mask]:
        """Return one mask per row of `boxes`, (N, 4) in pixels of the image."""
        scaled = self._transform.apply_boxes(boxes, shape_hw)
        batches = torch.as_tensor(scaled, dtype=torch.float32).split(self.config.boxes_per_batch)
        return [
            mask
            for batch in batches
            for mask in self._decode(embedding, shape_hw, batch.to(self._sam.device))
        ]

    def _decode(
        self, embedding: torch.Tensor, shape_hw: tuple[int, ...], boxes: torch.Tensor
    ) -> list[Mask]:
        """Return the masks of one batch of boxes, given in the network's input frame."""
        sparse, dense = self._sam.prompt_encoder(points=None, boxes=boxes, masks=None)
        # A box is unambiguous, hence one mask instead of three to choose from.
        logits, _ = self._sam.mask_decoder(
            image_embeddings=embedding.unsqueeze(0),
            image_pe=self._sam.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=False,
        )
        input_hw = self._transform.get_preprocess_shape(*shape_hw, self._transform.target_length)
        upscaled = self._sam.postprocess_masks(logits, input_hw, shape_hw)
        return list((upscaled[:, 0] > self._sam.mask_threshold).cpu().numpy())


def build_sam(settings: dict[str, Any]) -> Sam:
    """Return an untrained network from the contents of a folder's `config.json`.

    Args:
        settings: Keyword arguments under "image_encoder", "prompt_encoder" and "mask_decoder"
            (there with "transformer"), and "pixel_mean" and "pixel_std". The layer norms are
            those of Meta's builder.
    """
    decoder = dict(settings["mask_decoder"])
    return Sam(
        ImageEncoderViT(norm_layer=partial(nn.LayerNorm, eps=1e-6), **settings["image_encoder"]),
        PromptEncoder(**settings["prompt_encoder"]),
        MaskDecoder(transformer=TwoWayTransformer(**decoder.pop("transformer")), **decoder),
        settings["pixel_mean"],
        settings["pixel_std"],
    )


def meta_model_of(state: dict[str, torch.Tensor]) -> str:
    """Return "vit_b", "vit_l" or "vit_h" for the weights as Meta publishes them.

    Raises:
        CheckpointBroken: If they belong to none of the three.
    """
    width = state[WIDTH_KEY].shape[0] if WIDTH_KEY in state else None
    if width not in META_MODELS:
        raise CheckpointBroken(
            "the .pth file is not one of Meta's vit_b, vit_l and vit_h; "
            "give a folder with config.json and model.safetensors for another size."
        )
    return META_MODELS[width]


def _from_meta(path: Path) -> Sam:
    state = torch.load(path, map_location="cpu", weights_only=True)
    sam = sam_model_registry[meta_model_of(state)]()
    sam.load_state_dict(state)
    return sam


def _from_folder(path: Path) -> Sam:
    sam = build_sam(json.loads((path / "config.json").read_text(encoding="utf-8")))
    sam.load_state_dict(load_file(path / "model.safetensors"))
    return sam
