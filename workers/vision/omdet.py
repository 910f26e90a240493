"""OmDet-Turbo (Zhao et al. 2024): labels and a sentence that lists them steer the detector."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers.image_transforms import center_to_corners_format

from chatgenimage.workers import boxes
from chatgenimage.workers.device import inference
from chatgenimage.workers.grounding import read_boxes
from chatgenimage.workers.groups import group_equal
from chatgenimage.workers.values import Detection, ModelIdentity, RgbImage
from chatgenimage.workers.vision_config import ZeroShotDetectorConfig
from chatgenimage.workers.vocabulary import spelled_once

TASK = "Detect {}."
"""The sentence that transformers' processor writes from the labels."""

Question = tuple[int, dict[str, str]]
"""The index of an image, and some of its labels by their text."""


@dataclass(frozen=True, slots=True)
class OmDetDetector:
    """A Detector."""

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
            images: (H, W, 3) each; sizes may differ.
            labels: The names to look for, per image. Names that are equal in lower case are used
                once, with the first spelling; those with an unknown word find nothing. Of a name
                that is longer than the text encoder's context, the beginning is asked.
        """
        found: list[list[Detection]] = [[] for _ in images]
        questions = [
            (index, some) for index, names in enumerate(labels) for some in self._split(names)
        ]
        # The number of labels must be equal: padded labels would take part in the choice of boxes.
        for group in group_equal(len(some) for _, some in questions):
            for start in range(0, len(group), max(1, len(images))):
                asked = [questions[each] for each in group[start : start + len(images)]]
                self._answer(images, asked, found)
        return [boxes.highest_first(objects) for objects in found]

    def _split(self, labels: Sequence[str]) -> Iterator[dict[str, str]]:
        """Yield the readable labels by text, as many as the sentence has room for."""
        some: dict[str, str] = {}
        for text, label in spelled_once(labels).items():
            if not self._can_read(text):
                continue
            if some and not self._has_room([*some, text]):
                yield some
                some = {}
            some[text] = label
        if some:
            yield some

    def _can_read(self, text: str) -> bool:
        ids = self._processor.tokenizer.encode(text, add_special_tokens=False)
        return bool(ids) and self._processor.tokenizer.unk_token_id not in ids

    def _has_room(self, texts: list[str]) -> bool:
        ids = self._processor.tokenizer.encode(TASK.format(", ".join(texts)))
        return len(ids) <= self._room and len(texts) <= self.config.max_labels_per_prompt

    @property
    def _room(self) -> int:
        """Return the longest text, tokens."""
        return int(self._model.config.text_config.max_position_embeddings)

    def _answer(
        self, images: Sequence[RgbImage], asked: list[Question], found: list[list[Detection]]
    ) -> None:
        """Add the objects of questions with equally many labels."""
        scores, corners = self._look([images[index] for index, _ in asked], asked)
        for row, (index, some) in enumerate(asked):
            height, width = images[index].shape[:2]
            confidences = {
                label: scores[row, :, column] for column, label in enumerate(some.values())
            }
            found[index] += read_boxes(
                confidences, corners[row], (width, height), self.config.box_threshold
            )

    def _look(
        self, images: list[RgbImage], asked: list[Question]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return scores (N, queries, labels) in [0, 1], and relative corners (N, queries, 4)."""
        inputs = self._processor(
            images=images,
            text=[list(some) for _, some in asked],
            input_data_format="channels_last",
            return_tensors="pt",
            padding="max_length",
            truncation=True,
            max_length=self._room,
            return_token_type_ids=False,
        ).to(self._model.device, self._model.dtype)
        output = self._model(**inputs)
        corners = center_to_corners_format(output.decoder_coord_logits.float())
        return output.decoder_class_logits.float().sigmoid().cpu(), corners.cpu()
