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
from chatgenimage.workers.values import Embeddings, ModelIdentity, RgbImage
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
    _tokenize: "Callable[[list[str]], Tensor]"
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

    @inference
    def embed_images(self, images: Sequence[RgbImage]) -> Embeddings:
        """Return (N, D) unit vectors."""
        if not images:
            return self._nothing()
        stacked = torch.stack([self._preprocess(Image.fromarray(image)) for image in images])
        pixels = stacked.to(self._device, to_dtype(self.config.dtype))
        return _to_embeddings(self._model.encode_image(pixels, normalize=True))

    @inference
    def embed_texts(self, texts: Sequence[str]) -> Embeddings:
        """Return (N, D) unit vectors; texts are cut at the encoder's context length."""
        if not texts:
            return self._nothing()
        tokens = self._tokenize(list(texts)).to(self._device)
        return _to_embeddings(self._model.encode_text(tokens, normalize=True))

    def _nothing(self) -> Embeddings:
        """Return (0, D)."""
        width = self._model.encode_text(self._tokenize([""]).to(self._device)).shape[1]
        return np.empty((0, width), dtype=np.float32)


def _to_embeddings(features: "Tensor") -> Embeddings:
    # Normalised again, because half precision leaves a length of 1 +- 1e-3.
    unit = torch.nn.functional.normalize(features.float(), dim=1).cpu().numpy()
    return np.asarray(unit, dtype=np.float32)
