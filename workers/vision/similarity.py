"""Embeddings of images and texts by CLIP and its relatives, chosen by the checkpoint."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from transformers import AutoModel, AutoProcessor

from chatgenimage.workers.device import inference
from chatgenimage.workers.embeddings import embed_in_chunks, to_embeddings
from chatgenimage.workers.text_chunks import split_text
from chatgenimage.workers.values import Embeddings, LogitScale, ModelIdentity, RgbImage
from chatgenimage.workers.vision_config import SimilarityConfig
from chatgenimage.workers.weights import local_files
from chatgenimage.workers.weights.pretrained import (
    load_model,
    load_processor,
    refuse_other_architectures,
)


@dataclass(frozen=True, slots=True)
class TextRules:
    """How an architecture was trained to read texts.

    Attributes:
        is_lower: Whether in lower case.
        is_masked: Whether padding is hidden from the encoder.
    """

    is_lower: bool
    is_masked: bool


OF_CLIP = TextRules(is_lower=False, is_masked=True)
OF_SIGLIP = TextRules(is_lower=True, is_masked=False)
KINDS = {"clip": OF_CLIP, "metaclip_2": OF_CLIP, "siglip": OF_SIGLIP, "siglip2": OF_SIGLIP}
"""By `model_type`; SigLIP 2 of a fixed size is published as "siglip"."""


@dataclass(frozen=True, slots=True)
class Similarity:
    """An ImageTextEncoder."""

    config: SimilarityConfig
    identity: ModelIdentity
    _model: Any
    _processor: Any
    _rules: TextRules

    @classmethod
    def load(cls, config: SimilarityConfig, device: str) -> Self:
        """Return the family ready on `device`.

        Raises:
            CheckpointNotFound: If there are no weights.
            CheckpointBroken: If they do not load, or belong to no known architecture.
        """
        path = local_files.locate(config)
        with local_files.loading(config.checkpoint):
            rules = KINDS[refuse_other_architectures(path, KINDS)]
            local_files.refuse_wordless(path)
            processor = load_processor(AutoProcessor, config, path)
            model = load_model(AutoModel, config, path, device)
        return cls(config, local_files.identity_of(config, path), model, processor, rules)

    @property
    def logit_scale(self) -> LogitScale:
        """Return the trained scale, and the trained bias of SigLIP."""
        bias = getattr(self._model, "logit_bias", None)
        scale = self._model.logit_scale.float().exp().item()
        return LogitScale(scale, None if bias is None else bias.item())

    @inference
    def embed_images(self, images: Sequence[RgbImage]) -> Embeddings:
        """Return (N, D) unit vectors."""
        if not images:
            return self._nothing()
        inputs = self._processor.image_processor(
            images=list(images), input_data_format="channels_last", return_tensors="pt"
        ).to(self._model.device, self._model.dtype)
        return to_embeddings(self._model.get_image_features(**inputs).pooler_output)

    @inference
    def embed_texts(self, texts: Sequence[str]) -> Embeddings:
        """Return (N, D) unit vectors.

        A text longer than the encoder's context is read in chunks; its vector is their mean,
        weighted by length.
        """
        if not texts:
            return self._nothing()
        read = [text.lower() if self._rules.is_lower else text for text in texts]
        return embed_in_chunks([split_text(text, self._fits) for text in read], self._encode)

    @property
    def _room(self) -> int:
        """Return the longest text, tokens."""
        return int(self._model.config.text_config.max_position_embeddings)

    def _fits(self, text: str) -> bool:
        return len(self._processor.tokenizer.encode(text)) <= self._room

    def _encode(self, chunks: list[str]) -> torch.Tensor:
        """Return (chunks, D), each row of unit length."""
        # Always to the full length: SigLIP was trained so, and a batch changes nothing.
        inputs = self._processor.tokenizer(
            chunks,
            padding="max_length",
            max_length=self._room,
            truncation=True,
            return_attention_mask=self._rules.is_masked,
            return_tensors="pt",
        ).to(self._model.device)
        features = self._model.get_text_features(**inputs).pooler_output
        return torch.nn.functional.normalize(features.float(), dim=1)

    def _nothing(self) -> Embeddings:
        """Return (0, D)."""
        return np.empty((0, self._encode([""]).shape[1]), dtype=np.float32)
