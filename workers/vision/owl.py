"""OWL-ViT and OWLv2 (Minderer et al. 2022, 2023): each label is compared with each patch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers.image_transforms import center_to_corners_format

from chatgenimage.workers import boxes
from chatgenimage.workers.device import inference
from chatgenimage.workers.grounding import read_boxes
from chatgenimage.workers.values import Detection, ModelIdentity, RgbImage
from chatgenimage.workers.vision_config import ZeroShotDetectorConfig
from chatgenimage.workers.vocabulary import spelled_once

PROMPT = "a photo of a {}"
"""The prompt of the authors' examples; a label that is too long for it is asked alone."""
TEXTS_PER_PASS = 64


@dataclass(frozen=True, slots=True)
class OwlDetector:
    """A Detector; every label has a text of its own, so a list has no limit."""

    config: ZeroShotDetectorConfig
    identity: ModelIdentity
    _model: Any
    _processor: Any

    @inference
    def detect(
        self, images: Sequence[RgbImage], labels: Sequence[Sequence[str]]
    ) -> list[list[Detection]]:
        """Return detections above the confidence threshold, highest first.

        Args:
            images: (H, W, 3) each; sizes may differ. Each is encoded once.
            labels: The names to look for, per image. Names that are equal in lower case are used
                once, with the first spelling; those with an unknown word find nothing. Of a name
                that is longer than the text encoder's context (16 tokens), the beginning is asked.
        """
        tokens = self._tokens_of({name for names in labels for name in spelled_once(names)})
        found: list[list[Detection]] = [[] for _ in images]
        asked = [
            index
            for index, names in enumerate(labels)
            if not tokens.keys().isdisjoint(spelled_once(names))
        ]
        if not asked:
            return found
        scores, corners = self._look([images[index] for index in asked], list(tokens.values()))
        columns = {text: column for column, text in enumerate(tokens)}
        for row, index in enumerate(asked):
            height, width = images[index].shape[:2]
            confidences = {
                label: scores[row, :, columns[text]]
                for text, label in spelled_once(labels[index]).items()
                if text in columns
            }
            relative = corners[row] * self._square_in_images(width, height)
            objects = read_boxes(confidences, relative, (width, height), self.config.box_threshold)
            found[index] = boxes.highest_first(list(objects))
        return found

    def _tokens_of(self, texts: set[str]) -> Mapping[str, list[int]]:
        """Return the token ids of each readable text, special tokens included."""
        tokenizer = self._processor.tokenizer
        room = self._model.config.text_config.max_position_embeddings
        tokens: dict[str, list[int]] = {}
        for text in sorted(texts):
            alone = tokenizer.encode(text, add_special_tokens=False)
            if alone and tokenizer.unk_token_id not in alone:
                prompt = tokenizer.encode(PROMPT.format(text))
                if len(prompt) > room:
                    prompt = tokenizer.encode(text, truncation=True, max_length=room)
                tokens[text] = prompt
        return tokens

    def _look(
        self, images: list[RgbImage], texts: list[list[int]]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return scores (N, patches, texts) in [0, 1], and corners (N, patches, 4) of a square."""
        inputs = self._processor.image_processor(
            images=images, input_data_format="channels_last", return_tensors="pt"
        )
        pixels = inputs["pixel_values"].to(self._model.device, self._model.dtype)
        feature_map, _ = self._model.image_embedder(pixel_values=pixels)
        features = feature_map.flatten(1, 2)
        queries = self._encode(texts).expand(len(images), -1, -1)
        logits, _ = self._model.class_predictor(features, queries)
        relative = self._model.box_predictor(features, feature_map)
        return logits.float().sigmoid().cpu(), center_to_corners_format(relative.float()).cpu()

    def _encode(self, texts: list[list[int]]) -> torch.Tensor:
        """Return (texts, D)."""
        room = self._model.config.text_config.max_position_embeddings
        encoded = []
        for start in range(0, len(texts), TEXTS_PER_PASS):
            padded = self._processor.tokenizer.pad(
                {"input_ids": texts[start : start + TEXTS_PER_PASS]},
                padding="max_length",
                max_length=room,
                return_tensors="pt",
            ).to(self._model.device)
            encoded.append(self._model.base_model.get_text_features(**padded).pooler_output)
        return torch.cat(encoded)

    def _square_in_images(self, width: int, height: int) -> torch.Tensor:
        """Return by what relative corners are multiplied to be relative to the image.

        OWLv2 pads an image at its right or bottom to a square; OWL-ViT scales it to one.
        """
        if not getattr(self._processor.image_processor, "do_pad", False):
            return torch.ones(4)
        side = max(width, height)
        return torch.tensor([side / width, side / height] * 2)
