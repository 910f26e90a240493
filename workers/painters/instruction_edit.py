"""Editing by instruction: pipelines of any class of the table change whole images."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from PIL import Image

from chatgenimage.workers import pixels
from chatgenimage.workers.device import inference, seeded
from chatgenimage.workers.errors import CheckpointBroken
from chatgenimage.workers.groups import group_equal
from chatgenimage.workers.painter_config import InstructionEditConfig
from chatgenimage.workers.painters.opening import (
    class_name_at,
    guidance_of,
    open_pipeline,
    row_of,
)
from chatgenimage.workers.painters.pipelines_table import EDITING, EditRow
from chatgenimage.workers.painters.prompts import chunks_of, prompt_arguments, unread_ends
from chatgenimage.workers.painters.sizes import paint_at_most, scale_image
from chatgenimage.workers.painting import images_of
from chatgenimage.workers.prompt_chunks import Chunks
from chatgenimage.workers.values import ModelIdentity, RgbImage
from chatgenimage.workers.weights import local_files


@dataclass(frozen=True, slots=True)
class InstructionEdit:
    """A BackgroundEditor: changes whole images by the checkpoint's own class."""

    config: InstructionEditConfig
    identity: ModelIdentity
    _pipeline: Any
    _row: EditRow

    @classmethod
    def load(cls, config: InstructionEditConfig, device: str) -> Self:
        """Return the family ready on `device`.

        Raises:
            CheckpointNotFound: If there are no weights.
            CheckpointBroken: If they do not load, or a setting would have no effect.
        """
        path = local_files.locate(config)
        name = class_name_at(path, config)
        row = row_of(name, EDITING, config)
        if config.image_guidance_scale is not None and row.image_guidance is None:
            raise CheckpointBroken(
                f"{name} of {config.checkpoint} has no guidance by the image; delete "
                "`image_guidance_scale`."
            )
        pipeline = open_pipeline(name, row, config, path, device)
        decided = {
            "guidance_scale": guidance_of(config, "guidance_scale", row, pipeline),
            "image_guidance_scale": config.image_guidance_scale or row.image_guidance,
            "edit_side_px": config.edit_side_px or row.side_of_area_px,
        }
        config = config.model_copy(update=decided)
        adapters = local_files.locate_adapters(config)
        return cls(config, local_files.identity_of(config, path, adapters), pipeline, row)

    @inference
    def edit(
        self, images: Sequence[RgbImage], instructions: Sequence[str], seeds: Sequence[int]
    ) -> list[RgbImage]:
        """Return the edited images, each with the size of its input.

        Args:
            images: (H, W, 3) each; sizes may differ.
            instructions: Read as a whole, but for what `unread` returns.
            seeds: One per image.
        """
        chunks = chunks_of(self._pipeline, self._row, instructions)

        def paint(group: Sequence[int], images: Sequence[RgbImage]) -> list[RgbImage]:
            """Return edited images of one shape; `group` has their places in the call."""
            own = [chunks[index] for index in group]
            return self._edit_alike(images, own, [seeds[index] for index in group])

        edited = list(images)
        most_px = (self.config.edit_side_px or self._row.side_of_area_px) ** 2
        for group in self._passes(images, chunks):
            own = [images[index] for index in group]
            repainted = paint_at_most(own, most_px, self._row.side_px, partial(paint, group))
            for index, image in zip(group, repainted, strict=True):
                edited[index] = image
        return edited

    def unread(self, prompts: Sequence[str]) -> list[str]:
        """Return the end of each instruction that is not read; "" if it is read as a whole."""
        return unread_ends(self._pipeline, self._row, prompts)

    def _passes(
        self, images: Sequence[RgbImage], chunks: Sequence[Chunks]
    ) -> Iterator[Sequence[int]]:
        """Yield the places of images that are edited in one call: of one shape, or one by one."""
        if not self._row.takes_batches:
            yield from ([index] for index in range(len(images)))
            return
        shapes = (image.shape for image in images)
        yield from group_equal(zip(shapes, map(len, chunks), strict=True))

    def _edit_alike(
        self, images: Sequence[RgbImage], instructions: Sequence[Chunks], seeds: Sequence[int]
    ) -> list[RgbImage]:
        """Return the edited images, all of one shape, by instructions of equally many chunks."""
        row, config = self._row, self.config
        padded = list(pixels.pad_edges(images, row.side_px))
        output = self._pipeline(
            **prompt_arguments(self._pipeline, row, instructions, config.negative_prompt),
            **row.sizing(*padded[0].shape[:2]),
            **{row.guided_by: config.guidance_scale},
            **self._image_guidance(),
            image=self._as_input(padded),
            num_inference_steps=config.num_inference_steps,
            generator=[seeded(seed) for seed in seeds],
            output_type="np",
        )
        painted = images_of(output, output.images.shape[1:3])
        if painted[0].shape != padded[0].shape:  # the class decides the size
            painted = [scale_image(image, padded[0].shape[:2]) for image in painted]
        height, width = images[0].shape[:2]
        return [image[:height, :width] for image in painted]

    def _as_input(self, images: Sequence[RgbImage]) -> Any:  # noqa: ANN401 (a tensor or PIL's)
        """Return images of one shape as the class takes them."""
        if self._row.takes_batches:
            return pixels.to_tensor(images)
        (image,) = images
        return Image.fromarray(image)

    def _image_guidance(self) -> dict[str, Any]:
        """Return the guidance by the image, if the class has one."""
        strength = self.config.image_guidance_scale
        return {} if strength is None else {"image_guidance_scale": strength}
