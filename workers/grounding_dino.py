"""Grounding DINO (Liu et al. 2023) with the network of transformers: finds objects by name."""

from dataclasses import dataclass
from typing import Any, Self

import torch
from transformers import GroundingDinoForObjectDetection, GroundingDinoProcessor

from chatgenimage.workers.config import GroundingDinoConfig
from chatgenimage.workers.grounding import (
    GroundingPrompt,
    GroundingPromptBuilder,
    PromptedDetector,
)
from chatgenimage.workers.values import ModelIdentity, RgbImage
from chatgenimage.workers.vision_config import ZeroShotDetectorConfig
from chatgenimage.workers.weights import local_files
from chatgenimage.workers.weights.pretrained import load_pretrained


@dataclass(frozen=True, slots=True)
class GroundingDino(PromptedDetector):
    """A Detector."""

    config: GroundingDinoConfig | ZeroShotDetectorConfig
    identity: ModelIdentity
    _model: Any
    _processor: GroundingDinoProcessor

    @classmethod
    def load(cls, config: GroundingDinoConfig, device: str) -> Self:
        """Return the family ready on `device`.

        Raises:
            CheckpointNotFound: If there are no weights.
            CheckpointBroken: If they do not load.
        """
        path = local_files.locate(config)
        kinds = GroundingDinoForObjectDetection, GroundingDinoProcessor
        model, processor = load_pretrained(*kinds, config, path, device)
        return cls(config, local_files.identity_of(config, path), model, processor)

    @property
    def prompter(self) -> GroundingPromptBuilder:
        """Return what writes the prompts of this checkpoint."""
        config = self._model.config
        longest = min(config.max_text_len, config.text_config.max_position_embeddings)
        return GroundingPromptBuilder(
            self._processor.tokenizer, longest, self.config.max_labels_per_prompt
        )

    def _look(
        self, images: list[RgbImage], prompts: list[GroundingPrompt]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        output = self._model(**self._pixels_of(images), **self._text_of(prompts))
        return output.logits, output.pred_boxes

    def _pixels_of(self, images: list[RgbImage]) -> dict[str, Any]:
        inputs = self._processor.image_processor(
            images=images, input_data_format="channels_last", return_tensors="pt"
        ).to(self._model.device)
        return {**inputs, "pixel_values": inputs["pixel_values"].to(self._model.dtype)}

    def _text_of(self, prompts: list[GroundingPrompt]) -> dict[str, Any]:
        ids = [prompt.input_ids for prompt in prompts]
        padded = self._processor.tokenizer.pad({"input_ids": ids}, return_tensors="pt")
        inputs = padded.to(self._model.device)
        return {**inputs, "token_type_ids": torch.zeros_like(inputs["input_ids"])}
