"""SAM 3 (Carion et al. 2025): boxes and masks from names, with one encoding of the image."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from transformers import Sam3Model, Sam3Processor
from transformers.modeling_outputs import BaseModelOutputWithPooling

from chatgenimage.workers import boxes
from chatgenimage.workers.device import inference
from chatgenimage.workers.values import Detection, Mask, ModelIdentity, RgbImage
from chatgenimage.workers.vision.precision import in_float32
from chatgenimage.workers.vision_config import Sam3Config
from chatgenimage.workers.vocabulary import spelled_once
from chatgenimage.workers.weights import local_files
from chatgenimage.workers.weights.pretrained import (
    load_model,
    load_processor,
    refuse_other_architectures,
)

KNOWN = ("sam3", "sam3_video")
"""SAM 3 is published as "sam3_video"; what tracks objects in videos is left out."""
EMBEDDINGS = ("fpn_hidden_states", "fpn_position_encoding")

FoundObject = tuple[Detection, Mask]


@dataclass(frozen=True, slots=True)
class Sam3:
    """A DetectorSegmenter."""

    config: Sam3Config
    identity: ModelIdentity
    _model: Any
    _processor: Any

    @classmethod
    def load(cls, config: Sam3Config, device: str) -> Self:
        """Return the family ready on `device`.

        Raises:
            CheckpointNotFound: If there are no weights.
            CheckpointBroken: If they do not load, or belong to another architecture.
        """
        path = local_files.locate(config)
        with local_files.loading(config.checkpoint):
            refuse_other_architectures(path, KNOWN)
            local_files.refuse_wordless(path)
            processor = load_processor(Sam3Processor, config, path)
            model = load_model(Sam3Model, config, path, device)
        return cls(config, local_files.identity_of(config, path), model, processor)

    def detect(
        self, images: Sequence[RgbImage], labels: Sequence[Sequence[str]]
    ) -> list[list[Detection]]:
        """Return detections above the confidence threshold, highest first.

        Args:
            images: (H, W, 3) each; sizes may differ. Each is encoded once.
            labels: The names to look for, per image. Names that are equal in lower case are used
                once, with the first spelling; those with an unknown word find nothing. Of a name
                that is longer than the text encoder's context (32 tokens), the beginning is asked.
        """
        return [[detection for detection, _ in found] for found in self.find(images, labels)]

    @inference
    def find(
        self, images: Sequence[RgbImage], labels: Sequence[Sequence[str]]
    ) -> list[list[FoundObject]]:
        """Return detections above the confidence threshold with their (H, W) masks.

        The highest confidence comes first; arguments as of `detect`.
        """
        texts = self._encode_texts({text for names in labels for text in spelled_once(names)})
        known = [
            {text: label for text, label in spelled_once(names).items() if text in texts}
            for names in labels
        ]
        found: list[list[FoundObject]] = [[] for _ in images]
        asked = [index for index, names in enumerate(known) if names]
        if not asked:
            return found
        embeddings = self._encode_images([images[index] for index in asked])
        for row, index in enumerate(asked):
            objects = self._look(embeddings, row, images[index].shape[:2], known[index], texts)
            found[index] = sorted(objects, key=lambda one: one[0].confidence, reverse=True)
        return found

    def _encode_texts(self, texts: set[str]) -> Mapping[str, tuple[torch.Tensor, torch.Tensor]]:
        """Return features (1, tokens, D) and mask (1, tokens) of each readable text."""
        tokenizer = self._processor.tokenizer
        readable = [text for text in sorted(texts) if _can_read(tokenizer, text)]
        encoded: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
        for some in _split(readable, self.config.labels_per_batch):
            inputs = tokenizer(
                some,
                padding="max_length",
                max_length=self._model.config.text_config.max_position_embeddings,
                truncation=True,
                return_tensors="pt",
            ).to(self._model.device)
            features = self._model.get_text_features(**inputs).pooler_output
            rows = zip(features.split(1), inputs["attention_mask"].split(1), strict=True)
            encoded |= dict(zip(some, rows, strict=True))
        return encoded

    def _encode_images(self, images: list[RgbImage]) -> Any:  # noqa: ANN401 (an output)
        inputs = self._processor.image_processor(
            images=images, input_data_format="channels_last", return_tensors="pt"
        )
        pixels = inputs["pixel_values"].to(self._model.device, self._model.dtype)
        return self._model.get_vision_features(pixel_values=pixels)

    def _look(
        self,
        embeddings: Any,  # noqa: ANN401 (an output)
        row: int,
        shape_hw: tuple[int, ...],
        names: Mapping[str, str],
        texts: Mapping[str, tuple[torch.Tensor, torch.Tensor]],
    ) -> Iterator[FoundObject]:
        """Yield the objects of one image.

        Args:
            embeddings: Of all images.
            row: The image's.
            shape_hw: Its height and width, pixels.
            names: Its labels by text.
            texts: Features and mask of each text.
        """
        for some in _split(list(names), self.config.labels_per_batch):
            features, masks = zip(*(texts[text] for text in some), strict=True)
            output = self._model(
                vision_embeds=_repeated(embeddings, row, len(some)),
                text_embeds=BaseModelOutputWithPooling(pooler_output=torch.cat(features)),
                attention_mask=torch.cat(masks),
            )
            results = self._processor.post_process_instance_segmentation(
                in_float32(output),
                threshold=self.config.box_threshold,
                mask_threshold=self.config.mask_threshold,
                target_sizes=[shape_hw] * len(some),
            )
            for text, result in zip(some, results, strict=True):
                yield from _read(result, names[text], (shape_hw[1], shape_hw[0]))


def _read(
    result: Mapping[str, torch.Tensor], label: str, size_wh: tuple[int, int]
) -> Iterator[FoundObject]:
    """Yield the objects of one label."""
    columns = (result[name].cpu() for name in ("scores", "boxes", "masks"))
    for score, corners, mask in zip(*columns, strict=True):
        x_min, y_min, x_max, y_max = corners.tolist()
        box_xyxy = boxes.clip((x_min, y_min, x_max, y_max), size_wh)
        if boxes.box_area(box_xyxy) > 0:
            yield Detection(label, score.item(), box_xyxy), mask.bool().numpy()


def _repeated(embeddings: Any, row: int, count: int) -> Any:  # noqa: ANN401 (outputs)
    """Return one image's embeddings, once per text, without copies."""
    of_image = {
        name: tuple(
            level[row : row + 1].expand(count, *level.shape[1:]) for level in embeddings[name]
        )
        for name in EMBEDDINGS
    }
    return type(embeddings)(**of_image)


def _split(texts: Sequence[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(texts), size):
        yield list(texts[start : start + size])


def _can_read(tokenizer: Any, text: str) -> bool:  # noqa: ANN401 (a tokenizer)
    ids = tokenizer.encode(text, add_special_tokens=False)
    return bool(ids) and tokenizer.unk_token_id not in ids
