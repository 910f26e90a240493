"""Inpainting: pipelines of any class of the table fill masked parts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from chatgenimage.workers.device import inference
from chatgenimage.workers.painter_config import InpaintConfig
from chatgenimage.workers.painters.filler import Filler, FillSettings
from chatgenimage.workers.painters.opening import (
    class_name_at,
    guidance_of,
    open_pipeline,
    row_of,
)
from chatgenimage.workers.painters.pipelines_table import EDITING, FILLING, GENERATING, FillRow
from chatgenimage.workers.painters.prompts import unread_ends
from chatgenimage.workers.values import Mask, ModelIdentity, RgbImage
from chatgenimage.workers.weights import local_files

CLASSES: dict[str, str] = {
    **{name: name for name in FILLING},
    **{
        name: row.filler
        for name, row in (*GENERATING.items(), *EDITING.items())
        if row.filler is not None
    },
}
"""The class that opens a checkpoint, by the class that the checkpoint names."""
OPENED_BY: dict[str, FillRow] = {name: FILLING[filler] for name, filler in CLASSES.items()}


@dataclass(frozen=True, slots=True)
class Inpaint:
    """An ObjectFiller: paints masked parts by the checkpoint's own class, or one that fills."""

    config: InpaintConfig
    identity: ModelIdentity
    _filler: Filler

    @classmethod
    def load(cls, config: InpaintConfig, device: str) -> Self:
        """Return the family ready on `device`.

        Raises:
            CheckpointNotFound: If there are no weights.
            CheckpointBroken: If they do not load, or a setting would have no effect.
        """
        path = local_files.locate(config)
        name = class_name_at(path, config)
        row = row_of(name, OPENED_BY, config)
        pipeline = open_pipeline(CLASSES[name], row, config, path, device)
        decided = {
            "guidance_scale": guidance_of(config, "guidance_scale", row, pipeline),
            "strength": config.strength or row.strength,
        }
        config = config.model_copy(update=decided)
        settings = FillSettings(
            num_inference_steps=config.num_inference_steps,
            guidance=decided["guidance_scale"],
            strength=decided["strength"],
            negative_prompt=config.negative_prompt,
            mask_growth=config.fill_mask_growth,
            zoom_share=config.fill_zoom_share,
        )
        filler = Filler(pipeline, row, settings)
        filler.refuse_unfit_settings(config.checkpoint)
        adapters = local_files.locate_adapters(config)
        return cls(config, local_files.identity_of(config, path, adapters), filler)

    @inference
    def fill(
        self,
        images: Sequence[RgbImage],
        mask_images: Sequence[Mask],
        prompts: Sequence[str],
        seeds: Sequence[int],
    ) -> list[RgbImage]:
        """Return the images with their masked part repainted; every pixel outside is unchanged.

        Args:
            images: (H, W, 3) each; sizes may differ.
            mask_images: (H, W) each, True is repainted.
            prompts: Description of the masked part; read as a whole, but for what `unread` returns.
            seeds: One per image.

        Raises:
            UnfitImage: If a mask does not fit its image.
        """
        return self._filler.fill(images, mask_images, prompts, seeds)

    def unread(self, prompts: Sequence[str]) -> list[str]:
        """Return the end of each prompt that is not read; "" if it is read as a whole."""
        return unread_ends(self._filler.pipeline, self._filler.row, prompts)
