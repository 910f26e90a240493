"""Grounding: the common part of the Grounding DINO families: labels to prompts, scores to boxes."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import torch
from transformers.image_transforms import center_to_corners_format

from chatgenimage.workers import boxes
from chatgenimage.workers.device import inference
from chatgenimage.workers.groups import group_equal
from chatgenimage.workers.values import Detection, RgbImage
from chatgenimage.workers.vocabulary import spelled_once
from chatgenimage.workers.weights_config import DetectorConfig

SEPARATOR = "."


@dataclass(slots=True)
class GroundingPrompt:
    """The tokens of "label. label. ..." and the position of each label's own tokens."""

    input_ids: list[int]
    spans: dict[str, slice] = field(default_factory=dict)

    def add(self, label: str, ids: Sequence[int], separator: int) -> None:
        """Append a label's tokens and a separator."""
        start = len(self.input_ids)
        self.spans[label] = slice(start, start + len(ids))
        self.input_ids.extend([*ids, separator])


Look = Callable[[list[RgbImage], list[GroundingPrompt]], tuple[torch.Tensor, torch.Tensor]]
"""Images of one shape and a prompt for each -> logits (N, queries, tokens) and relative boxes
(N, queries, 4): center x, center y, width, height."""


@dataclass(frozen=True, slots=True)
class GroundingPromptBuilder:
    """Writes prompts for one tokenizer.

    Attributes:
        tokenizer: BERT's.
        max_tokens: The longest prompt, special tokens included.
        max_labels: Maximum number of labels per prompt.
    """

    tokenizer: Any
    max_tokens: int
    max_labels: int

    def write(self, labels: Iterable[str]) -> list[GroundingPrompt]:
        """Return prompts that together contain every label once.

        Labels that are equal in lower case are used once, with the first spelling; those with an
        unknown word are left out.
        """
        separator = self.tokenizer.convert_tokens_to_ids(SEPARATOR)
        prompts: list[GroundingPrompt] = []
        for label, ids in self._tokens_of(labels).items():
            if not prompts or not self._has_room(prompts[-1], ids):
                prompts.append(GroundingPrompt([self.tokenizer.cls_token_id]))
            prompts[-1].add(label, ids, separator)
        for prompt in prompts:
            prompt.input_ids.append(self.tokenizer.sep_token_id)
        return prompts

    def _has_room(self, prompt: GroundingPrompt, ids: Sequence[int]) -> bool:
        """Return whether a label of `ids`, its separator and the last special token still fit."""
        fits = len(prompt.input_ids) + len(ids) + 2 <= self.max_tokens
        return fits and len(prompt.spans) < self.max_labels

    def _tokens_of(self, labels: Iterable[str]) -> dict[str, list[int]]:
        """Return each distinct label with its token ids, in order."""
        tokens = {
            label: self.tokenizer.encode(text, add_special_tokens=False)[: self.max_tokens - 3]
            for text, label in spelled_once(labels).items()
        }
        # Half a label is another label: half of "purple zebra" would find all purple things.
        unknown = self.tokenizer.unk_token_id
        return {label: ids for label, ids in tokens.items() if ids and unknown not in ids}


class PromptedDetector(ABC):
    """A Detector that gives a Grounding DINO network prompts; a family adds the network."""

    __slots__ = ()

    config: DetectorConfig

    @property
    @abstractmethod
    def prompter(self) -> GroundingPromptBuilder:
        """Return the prompt builder for the network's tokenizer."""

    @abstractmethod
    def _look(
        self, images: list[RgbImage], prompts: list[GroundingPrompt]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits and boxes as `Look` says."""

    @inference
    def detect(
        self, images: Sequence[RgbImage], labels: Sequence[Sequence[str]]
    ) -> list[list[Detection]]:
        """Return detections above the confidence threshold, highest first.

        An object may be found under several labels; `boxes.suppress` chooses.

        Args:
            images: (H, W, 3) each; sizes may differ.
            labels: The names to look for, per image. Names that are equal in lower case are used
                once, with the first spelling; those with an unknown word find nothing.
        """
        prompts = [self.prompter.write(names) for names in labels]
        return detect(images, prompts, self._look, self.config.box_threshold)


def detect(
    images: Sequence[RgbImage],
    prompts: Sequence[Sequence[GroundingPrompt]],
    look: Look,
    threshold: float,
) -> list[list[Detection]]:
    """Return the objects that the network finds, highest confidence first.

    Args:
        images: (H, W, 3) each; sizes may differ.
        prompts: The prompts of each image.
        look: The network.
        threshold: Minimum confidence, in [0, 1].
    """
    found: list[list[Detection]] = [[] for _ in images]
    for group in group_equal(image.shape for image in images):
        # One prompt per image at a time, so that no batch is larger than the caller's.
        for round_ in zip_longest(*(prompts[index] for index in group)):
            asked = [
                (index, prompt)
                for index, prompt in zip(group, round_, strict=True)
                if prompt is not None
            ]
            logits, relative = look(
                [images[index] for index, _ in asked], [prompt for _, prompt in asked]
            )
            probabilities = logits.float().sigmoid().cpu()
            corners = center_to_corners_format(relative.float()).cpu()
            for row, (index, prompt) in enumerate(asked):
                height, width = images[index].shape[:2]
                found[index] += _read(
                    probabilities[row], corners[row], prompt, (width, height), threshold
                )
    return [boxes.highest_first(detections) for detections in found]


def _read(
    probabilities: torch.Tensor,
    corners: torch.Tensor,
    prompt: GroundingPrompt,
    size_wh: tuple[int, int],
    threshold: float,
) -> Iterable[Detection]:
    """Return the detections of one image and one of its prompts.

    Args:
        probabilities: (queries, tokens) in [0, 1].
        corners: (queries, 4) relative to the image.
        prompt: The prompt.
        size_wh: Size of the image, pixels.
        threshold: Minimum confidence, in [0, 1].
    """
    # The mean over the label's own tokens, as in the authors' evaluation on COCO: for
    # "traffic light" one of the two words alone is not enough.
    confidences = {
        label: probabilities[:, span].mean(dim=1) for label, span in prompt.spans.items()
    }
    return read_boxes(confidences, corners, size_wh, threshold)


def read_boxes(
    confidences: Mapping[str, torch.Tensor],
    corners: torch.Tensor,
    size_wh: tuple[int, int],
    threshold: float,
) -> Iterable[Detection]:
    """Yield the detections of one image.

    Args:
        confidences: (queries,) in [0, 1], by label.
        corners: (queries, 4) relative to the image.
        size_wh: Size of the image, pixels.
        threshold: Minimum confidence, in [0, 1].
    """
    scale = torch.tensor([*size_wh, *size_wh])
    for label, of_label in confidences.items():
        for query in (of_label >= threshold).nonzero()[:, 0].tolist():
            x_min, y_min, x_max, y_max = (corners[query] * scale).tolist()
            box_xyxy = boxes.clip((x_min, y_min, x_max, y_max), size_wh)
            if boxes.box_area(box_xyxy) > 0:
                yield Detection(label, of_label[query].item(), box_xyxy)
