"""BLIP (Li et al. 2022) and BLIP-2 (Li et al. 2023): captions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from transformers import (
    Blip2ForConditionalGeneration,
    Blip2Processor,
    BlipForConditionalGeneration,
    BlipProcessor,
)

from chatgenimage.workers.config import Blip2Config, BlipConfig
from chatgenimage.workers.device import inference
from chatgenimage.workers.values import ModelIdentity, RgbImage
from chatgenimage.workers.weights import local_files
from chatgenimage.workers.weights.pretrained import load_pretrained

KINDS = {
    "blip": (BlipForConditionalGeneration, BlipProcessor),
    "blip2": (Blip2ForConditionalGeneration, Blip2Processor),
}


@dataclass(frozen=True, slots=True)
class Blip:
    """A Captioner."""

    config: BlipConfig | Blip2Config
    identity: ModelIdentity
    _model: Any
    _processor: Any

    @classmethod
    def load(cls, config: BlipConfig | Blip2Config, device: str) -> Self:
        """Return the family ready on `device`.

        Raises:
            CheckpointNotFound: If there are no weights.
            CheckpointBroken: If they do not load.
        """
        path = local_files.locate(config)
        model, processor = load_pretrained(*KINDS[config.family], config, path, device)
        return cls(config, local_files.identity_of(config, path), model, processor)

    @inference
    def caption(self, images: Sequence[RgbImage]) -> list[str]:
        """Return one stripped caption per image, the most likely one; may be empty."""
        if not images:
            return []
        inputs = self._processor(
            images=list(images), input_data_format="channels_last", return_tensors="pt"
        )
        tokens = self._model.generate(
            inputs.pixel_values.to(self._model.device, self._model.dtype),
            max_new_tokens=self.config.max_new_tokens,
            num_beams=self.config.num_beams,
            length_penalty=self.config.length_penalty if self.config.num_beams > 1 else None,
            do_sample=False,
        )
        captions = self._processor.batch_decode(tokens, skip_special_tokens=True)
        return [" ".join(caption.split()) for caption in captions]
