"""Filling by a pipeline of any class of the table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chatgenimage.workers import pixels
from chatgenimage.workers.device import seeded
from chatgenimage.workers.errors import CheckpointBroken
from chatgenimage.workers.filling import Images, Masks, fill_inside
from chatgenimage.workers.mask_shrinking import ShrinkingMasks
from chatgenimage.workers.painters.pipelines_table import FillRow
from chatgenimage.workers.painters.prompts import chunks_of, prompt_arguments
from chatgenimage.workers.painters.sizes import reduced_shape, scale_image, scale_mask
from chatgenimage.workers.painting import images_of
from chatgenimage.workers.prompt_chunks import Chunks
from chatgenimage.workers.values import RgbImage


@dataclass(frozen=True, slots=True)
class FillSettings:
    """Settings of a fill.

    Attributes:
        num_inference_steps: Denoising steps.
        guidance: Strength of guidance.
        strength: Share of noise that the fill begins with.
        negative_prompt: Content that no image should show.
        mask_growth: Latent cells by which a small mask is grown at first.
        zoom_share: Share of a side that a mask takes in an enlarged crop; None: no crop.
    """

    num_inference_steps: int
    guidance: float
    strength: float
    negative_prompt: str
    mask_growth: int
    zoom_share: float | None


@dataclass(frozen=True, slots=True)
class Filler:
    """A pipeline that fills, with its row and settings."""

    pipeline: Any
    row: FillRow
    settings: FillSettings

    def refuse_unfit_settings(self, checkpoint: str) -> None:
        """Raise CheckpointBroken if the mask is to grow and cannot."""
        if self.settings.mask_growth and not self.row.may_change_mask(self.pipeline):
            raise CheckpointBroken(
                f"{type(self.pipeline).__name__} of {checkpoint} does not let the mask change "
                "between steps; set `fill_mask_growth: 0`."
            )

    def fill(
        self, images: Images, mask_images: Masks, prompts: Sequence[str], seeds: Sequence[int]
    ) -> list[RgbImage]:
        """Return the images with their masked part repainted; the outside is unchanged."""
        chunks = chunks_of(self.pipeline, self.row, prompts)

        def paint(images: Images, masks: Masks, group: Sequence[int]) -> list[RgbImage]:
            """Return painted images of one shape; `group` has their places in the call."""
            own = [chunks[index] for index in group]
            return self._paint_reduced(images, masks, own, [seeds[index] for index in group])

        alike = list(map(len, chunks))
        return fill_inside(images, mask_images, paint, alike, self.settings.zoom_share)

    def _paint_reduced(
        self, images: Images, masks: Masks, prompts: Sequence[Chunks], seeds: Sequence[int]
    ) -> list[RgbImage]:
        """Return painted images of one shape; too large ones are painted smaller."""
        shape_hw = images[0].shape[:2]
        reduced = reduced_shape(shape_hw, self.row.most_px, self.row.side_px)
        if reduced is None:
            return self._paint(images, masks, prompts, seeds)
        painted = self._paint(
            [scale_image(image, reduced) for image in images],
            [scale_mask(mask, reduced) for mask in masks],
            prompts,
            seeds,
        )
        return [scale_image(image, shape_hw) for image in painted]

    def _paint(
        self, images: Images, masks: Masks, prompts: Sequence[Chunks], seeds: Sequence[int]
    ) -> list[RgbImage]:
        """Return images of one shape from the pipeline, before the outside is pasted back."""
        row, settings = self.row, self.settings
        cell_px = self.pipeline.vae_scale_factor
        tensor = pixels.to_tensor(images, multiple_of=row.side_px)
        cells = pixels.to_cells(masks, cell_px, multiple_of=row.side_px)
        shrinking = ShrinkingMasks.over(cells, settings.mask_growth)
        output = self.pipeline(
            **prompt_arguments(self.pipeline, row, prompts, settings.negative_prompt),
            **row.sizing(*tensor.shape[2:]),
            **{row.guided_by: settings.guidance},
            **_changing(shrinking),
            image=tensor,
            mask_image=pixels.from_cells(shrinking.at(0, settings.num_inference_steps), cell_px),
            strength=settings.strength,
            num_inference_steps=settings.num_inference_steps,
            generator=[seeded(seed) for seed in seeds],
            output_type="np",
        )
        return images_of(output, images[0].shape[:2])


def _changing(shrinking: ShrinkingMasks) -> dict[str, Any]:
    """Return the arguments with which the mask changes between steps."""
    if not shrinking.grow_cells:
        return {}
    return {"callback_on_step_end": shrinking, "callback_on_step_end_tensor_inputs": ["mask"]}
