"""BLIP-2 (Li et al. 2023): captions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from transformers import Blip2ForConditionalGeneration, Blip2Processor

from workers import weights
from workers.config import Blip2Config
from workers.device import inference, to_dtype
from workers.values import ModelIdentity, RgbImage


@dataclass(frozen=True, slots=True)
class Blip2:
    """A Captioner."""

    config: Blip2Config
    identity: ModelIdentity
    _model: Blip2ForConditionalGeneration
    _processor: Blip2Processor

    @classmethod
    def load(cls, config: Blip2Config, device: str) -> Self:
        """Return the family ready on `device`.

        Raises:
            CheckpointNotFound: If there are no weights.
            CheckpointBroken: If they do not load.
        """
        path = weights.resolve(config.checkpoint, config.revision)
        with weights.loading(config.checkpoint):
            weights.refuse_wordless(path)
            processor = Blip2Processor.from_pretrained(path)
            model, report = Blip2ForConditionalGeneration.from_pretrained(
                path, dtype=to_dtype(config.dtype), use_safetensors=True, output_loading_info=True
            )
            weights.refuse_missing(report["missing_keys"])
        return cls(config, weights.identity_of(config, path), model.to(device).eval(), processor)

    @inference
    def caption(self, images: Sequence[RgbImage]) -> list[str]:
        """Return one stripped caption per image, decoded greedily; may be empty."""
        if not images:
            return []
        inputs = self._processor(
            images=list(images), input_data_format="channels_last", return_tensors="pt"
        )
        tokens = self._model.generate(
            inputs.pixel_values.to(self._model.device, self._model.dtype),
            max_new_tokens=self.config.max_new_tokens,
            num_beams=1,
            do_sample=False,
        )
        captions = self._processor.batch_decode(tokens, skip_special_tokens=True)
        return [" ".join(caption.split()) for caption in captions]
