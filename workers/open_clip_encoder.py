"""OpenCLIP (Ilharco et al. 2021): image and text embeddings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import open_clip
import torch
from PIL import Image

from chatgenimage.workers.config import OpenClipConfig
from chatgenimage.workers.device import inference, to_dtype
from chatgenimage.workers.embeddings import embed_in_chunks, to_embeddings
from chatgenimage.workers.text_chunks import split_text
from chatgenimage.workers.values import Embeddings, LogitScale, ModelIdentity, RgbImage
from chatgenimage.workers.weights import local_files

if TYPE_CHECKING:
    from torch import Tensor

PRECISIONS = {"float32": "fp32", "float16": "pure_fp16", "bfloat16": "pure_bf16"}


@dataclass(frozen=True, slots=True)
class OpenClip:
    """An ImageTextEncoder."""

    config: OpenClipConfig
    identity: ModelIdentity
    _model: Any
    _preprocess: "Callable[[Image.Image], Tensor]"
    _tokenize: Any
    _device: str

    @classmethod
    def load(cls, config: OpenClipConfig, device: str) -> Self:
        """Return the family ready on `device`.

        Raises:
            CheckpointNotFound: If there are no weights.
            CheckpointBroken: If they do not load.
        """
        path = local_files.locate(config)
        source = f"local-dir:{path}"
        with local_files.loading(config.checkpoint):
            model, preprocess = open_clip.create_model_from_pretrained(
                source, precision=PRECISIONS[config.dtype], device=device
            )
            tokenize = open_clip.get_tokenizer(source)
        identity = local_files.identity_of(config, path)
        return cls(config, identity, model.eval(), preprocess, tokenize, device)

    @property
    def logit_scale(self) -> LogitScale:
        """Return the factor of the profile, else the trained one, and the trained bias."""
        bias = getattr(self._model, "logit_bias", None)
        scale = self.config.logit_scale or self._model.logit_scale.exp().item()
        return LogitScale(scale, None if bias is None else bias.item())

    @inference
    def embed_images(self, images: Sequence[RgbImage]) -> Embeddings:
        """Return (N, D) unit vectors."""
        if not images:
            return self._nothing()
        stacked = torch.stack([self._preprocess(Image.fromarray(image)) for image in images])
        pixels = stacked.to(self._device, to_dtype(self.config.dtype))
        return to_embeddings(self._model.encode_image(pixels, normalize=True))

    @inference
    def embed_texts(self, texts: Sequence[str]) -> Embeddings:
        """Return (N, D) unit vectors.

        A text longer than the encoder's context is read in chunks; its vector is their mean,
        weighted by length.
        """
        if not texts:
            return self._nothing()
        return embed_in_chunks([self._split(text) for text in texts], self._encode)

    def _encode(self, chunks: list[str]) -> "Tensor":
        tokens = self._tokenize(chunks).to(self._device)
        vectors: Tensor = self._model.encode_text(tokens, normalize=True)
        return vectors

    def _split(self, text: str) -> list[str]:
        is_known = self._fits("")  # a tokenizer that ends every text with a token of its own
        return split_text(text, self._fits) if is_known else [text]

    def _fits(self, text: str) -> bool:
        """Return whether a text is read as a whole: more room would not change its tokens."""
        tokens, more = (
            self._tokenize([text], self._tokenize.context_length + extra)[0] for extra in (0, 1)
        )
        return torch.equal(tokens, more[:-1])

    def _nothing(self) -> Embeddings:
        """Return (0, D)."""
        width = self._model.encode_text(self._tokenize([""]).to(self._device)).shape[1]
        return np.empty((0, width), dtype=np.float32)
