"""Grounding DINO (Liu et al. 2023): finds objects by name."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, Self

import torch
from transformers import GroundingDinoForObjectDetection, GroundingDinoProcessor
from transformers.image_transforms import center_to_corners_format

from workers import boxes, pixels, weights
from workers.config import GroundingDinoConfig
from workers.device import inference
from workers.pretrained import load_pretrained
from workers.values import Detection, ModelIdentity, RgbImage

SEPARATOR = "."
RESERVED = str.maketrans(".?", "  ")
"""What separates labels in a prompt can stand in none of them."""


@dataclass(slots=True)
class _Prompt:
    """The tokens of "label. label. ..." and where each label's own tokens stand among them."""

    input_ids: list[int]
    spans: dict[str, slice] = field(default_factory=dict)

    def add(self, label: str, ids: Sequence[int], separator: int) -> None:
        """Append a label's tokens and the separator behind them."""
        start = len(self.input_ids)
        self.spans[label] = slice(start, start + len(ids))
        self.input_ids.extend([*ids, separator])


@dataclass(frozen=True, slots=True)
class GroundingDino:
    """A Detector."""

    config: GroundingDinoConfig
    identity: ModelIdentity
    _model: GroundingDinoForObjectDetection
    _processor: GroundingDinoProcessor

    @classmethod
    def load(cls, config: GroundingDinoConfig, device: str) -> Self:
        """Return the family ready on `device`.

        Raises:
            CheckpointNotFound: If there are no weights.
            CheckpointBroken: If they do not load.
        """
        path = weights.resolve(config.checkpoint, config.revision)
        kinds = GroundingDinoForObjectDetection, GroundingDinoProcessor
        model, processor = load_pretrained(*kinds, config, path, device)
        return cls(config, weights.identity_of(config, path), model, processor)

    @inference
    def detect(
        self, images: Sequence[RgbImage], labels: Sequence[Sequence[str]]
    ) -> list[list[Detection]]:
        """Return detections above the confidence threshold, highest first.

        An object may come back under several labels; `boxes.suppress` chooses.

        Args:
            images: (H, W, 3) each; sizes may differ.
            labels: The names to look for, per image. Those that read the same in lower case are
                asked once, under the first spelling; those with an unknown word find nothing.
        """
        found: list[list[Detection]] = [[] for _ in images]
        prompts = [self._write_prompts(names) for names in labels]
        for group in pixels.by_shape(images):
            # Round by round, so that no batch is larger than the caller's.
            for round_ in zip_longest(*(prompts[index] for index in group)):
                asked = [
                    (index, prompt)
                    for index, prompt in zip(group, round_, strict=True)
                    if prompt is not None
                ]
                self._look(images, asked, found)
        return [boxes.highest_first(detections) for detections in found]

    def _write_prompts(self, labels: Iterable[str]) -> list[_Prompt]:
        """Return the prompts that together ask for every label once."""
        tokenizer = self._processor.tokenizer
        separator = tokenizer.convert_tokens_to_ids(SEPARATOR)
        prompts: list[_Prompt] = []
        for label, ids in self._tokens_of(labels).items():
            if not prompts or not self._has_room(prompts[-1], ids):
                prompts.append(_Prompt([tokenizer.cls_token_id]))
            prompts[-1].add(label, ids, separator)
        for prompt in prompts:
            prompt.input_ids.append(tokenizer.sep_token_id)
        return prompts

    def _has_room(self, prompt: _Prompt, ids: Sequence[int]) -> bool:
        """Return whether a label of `ids`, its separator and the last special token still fit."""
        fits = len(prompt.input_ids) + len(ids) + 2 <= self._max_tokens
        return fits and len(prompt.spans) < self.config.max_labels_per_prompt

    def _tokens_of(self, labels: Iterable[str]) -> dict[str, list[int]]:
        """Return each distinct label with its token ids, in order."""
        tokenizer = self._processor.tokenizer
        spelled: dict[str, str] = {}
        for label in labels:
            spelled.setdefault(" ".join(label.lower().translate(RESERVED).split()), label)
        tokens = {
            label: tokenizer.encode(text, add_special_tokens=False)[: self._max_tokens - 3]
            for text, label in spelled.items()
        }
        # Half a label is another label: of "purple zebra", all that is purple would be found.
        unknown = tokenizer.unk_token_id
        return {label: ids for label, ids in tokens.items() if ids and unknown not in ids}

    @property
    def _max_tokens(self) -> int:
        """Return the longest prompt in tokens, special ones included."""
        config = self._model.config
        return int(min(config.max_text_len, config.text_config.max_position_embeddings))

    def _look(
        self,
        images: Sequence[RgbImage],
        asked: Sequence[tuple[int, _Prompt]],
        found: list[list[Detection]],
    ) -> None:
        """Add to `found` what each image of one shape shows of its prompt."""
        output = self._model(
            **self._pixels_of([images[index] for index, _ in asked]),
            **self._text_of([prompt for _, prompt in asked]),
        )
        probabilities = output.logits.float().sigmoid().cpu()
        corners = center_to_corners_format(output.pred_boxes.float()).cpu()
        for row, (index, prompt) in enumerate(asked):
            height, width = images[index].shape[:2]
            found[index].extend(
                self._read(probabilities[row], corners[row], prompt, (width, height))
            )

    def _pixels_of(self, images: Sequence[RgbImage]) -> dict[str, Any]:
        inputs = self._processor.image_processor(
            images=list(images), input_data_format="channels_last", return_tensors="pt"
        ).to(self._model.device)
        return {**inputs, "pixel_values": inputs["pixel_values"].to(self._model.dtype)}

    def _text_of(self, prompts: Sequence[_Prompt]) -> dict[str, Any]:
        ids = [prompt.input_ids for prompt in prompts]
        padded = self._processor.tokenizer.pad({"input_ids": ids}, return_tensors="pt")
        inputs = padded.to(self._model.device)
        return {**inputs, "token_type_ids": torch.zeros_like(inputs["input_ids"])}

    def _read(
        self,
        probabilities: torch.Tensor,
        corners: torch.Tensor,
        prompt: _Prompt,
        size_wh: tuple[int, int],
    ) -> Iterable[Detection]:
        """Yield what one image shows of its prompt.

        Args:
            probabilities: (queries, tokens) in [0, 1].
            corners: (queries, 4) relative to the image.
            prompt: What was asked.
            size_wh: Of the image, pixels.
        """
        scale = torch.tensor([*size_wh, *size_wh])
        for label, span in prompt.spans.items():
            # The mean over its own tokens, as in the authors' evaluation on COCO: of "traffic
            # light" neither half alone is enough.
            confidences = probabilities[:, span].mean(dim=1)
            for query in (confidences >= self.config.box_threshold).nonzero()[:, 0].tolist():
                x_min, y_min, x_max, y_max = (corners[query] * scale).tolist()
                box_xyxy = boxes.clip((x_min, y_min, x_max, y_max), size_wh)
                if boxes.area(box_xyxy) > 0:
                    yield Detection(label, confidences[query].item(), box_xyxy)
