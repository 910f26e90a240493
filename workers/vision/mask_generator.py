"""Masks from boxes: the Segment Anything models, whose architecture the checkpoint decides."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from transformers import (
    AutoModelForMaskGeneration,
    Sam2Processor,
    Sam3TrackerProcessor,
    SamHQProcessor,
    SamProcessor,
)

from chatgenimage.workers.device import inference, to_dtype
from chatgenimage.workers.values import BoxXyxy, Mask, ModelIdentity, RgbImage
from chatgenimage.workers.vision.precision import in_float32
from chatgenimage.workers.vision_config import MaskGeneratorConfig
from chatgenimage.workers.weights import local_files
from chatgenimage.workers.weights.pretrained import (
    load_model,
    load_processor,
    refuse_other_architectures,
)

EMBEDDINGS = ("image_embeddings",)
EMBEDDINGS_OF_HQ = ("image_embeddings", "intermediate_embeddings")
KINDS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "sam": (SamProcessor, EMBEDDINGS),
    "sam_hq": (SamHQProcessor, EMBEDDINGS_OF_HQ),
    "sam2": (Sam2Processor, EMBEDDINGS),
    "sam2_video": (Sam2Processor, EMBEDDINGS),  # how SAM 2.1 is published; its memory is left out
    "edgetam": (Sam2Processor, EMBEDDINGS),
    "edgetam_video": (Sam2Processor, EMBEDDINGS),
    "sam3_tracker": (Sam3TrackerProcessor, EMBEDDINGS),
    "sam3_video": (Sam3TrackerProcessor, EMBEDDINGS),  # how SAM 3 is published; without detector
}
"""Processor and names of an image's embeddings, by `model_type`."""


@dataclass(frozen=True, slots=True)
class MaskGenerator:
    """A Segmenter."""

    config: MaskGeneratorConfig
    identity: ModelIdentity
    _model: Any
    _processor: Any
    _embedding_names: tuple[str, ...]

    @classmethod
    def load(cls, config: MaskGeneratorConfig, device: str) -> Self:
        """Return the family ready on `device`.

        Only the image encoder computes in `dtype`: half precision would round the corners of
        boxes to whole pixels or worse, and the mask decoder costs little.

        Raises:
            CheckpointNotFound: If there are no weights.
            CheckpointBroken: If they do not load, or belong to no known architecture.
        """
        path = local_files.locate(config)
        with local_files.loading(config.checkpoint):
            processor_kind, names = KINDS[refuse_other_architectures(path, KINDS)]
            processor = load_processor(processor_kind, config, path)
            in_full = config.model_copy(update={"dtype": "float32"})
            model = load_model(AutoModelForMaskGeneration, in_full, path, device)
        model.vision_encoder.to(to_dtype(config.dtype))
        model.vision_encoder.register_forward_hook(lambda _, __, output: in_float32(output))
        return cls(config, local_files.identity_of(config, path), model, processor, names)

    @inference
    def segment(
        self, images: Sequence[RgbImage], boxes_xyxy: Sequence[Sequence[BoxXyxy]]
    ) -> list[list[Mask]]:
        """Return one (H, W) mask per box, in the boxes' order; an image without boxes gives [].

        Args:
            images: (H, W, 3) each; sizes may differ. Each is encoded once.
            boxes_xyxy: Per image, in its pixels.
        """
        masks: list[list[Mask]] = [[] for _ in images]
        asked = [
            index for index, (_, boxes) in enumerate(zip(images, boxes_xyxy, strict=True)) if boxes
        ]
        if not asked:
            return masks
        inputs = [self._read(images[index], boxes_xyxy[index]) for index in asked]
        embeddings = self._embed([one["pixel_values"] for one in inputs])
        for row, (index, one) in enumerate(zip(asked, inputs, strict=True)):
            of_image = {name: _row_of(value, row) for name, value in embeddings.items()}
            masks[index] = self._cut_out(of_image, one)
        return masks

    def _read(self, image: RgbImage, boxes: Sequence[BoxXyxy]) -> Any:  # noqa: ANN401 (a batch)
        """Return the pixels and boxes of one image in the network's frame."""
        return self._processor(
            images=[image],
            input_boxes=[[list(box) for box in boxes]],
            input_data_format="channels_last",
            return_tensors="pt",
        )

    def _embed(self, pixels: list[torch.Tensor]) -> dict[str, Any]:
        """Return the embeddings of images by name: (N, ...), or a list of such."""
        stacked = torch.cat(pixels).to(self._model.device, to_dtype(self.config.dtype))
        embeddings = self._model.get_image_embeddings(stacked)
        if len(self._embedding_names) == 1:
            embeddings = [embeddings]
        return dict(zip(self._embedding_names, embeddings, strict=True))

    def _cut_out(self, embeddings: dict[str, Any], inputs: Any) -> list[Mask]:  # noqa: ANN401
        """Return one mask per box of an image."""
        sizes = {
            name: inputs[name] for name in ("reshaped_input_sizes",) if name in inputs
        }  # only where an image is padded to a square
        found: list[Mask] = []
        for boxes in inputs["input_boxes"].float().split(self.config.boxes_per_batch, dim=1):
            output = self._model(
                input_boxes=boxes.to(self._model.device), multimask_output=False, **embeddings
            )
            (masks,) = self._processor.post_process_masks(
                [output.pred_masks[0]], inputs["original_sizes"], **sizes
            )
            found += list(masks[:, 0].cpu().numpy())
        return found


def _row_of(value: Any, row: int) -> Any:  # noqa: ANN401 (a tensor, or several)
    """Return one image's part of embeddings."""
    if isinstance(value, torch.Tensor):
        return value[row : row + 1]
    return [_row_of(part, row) for part in value]
