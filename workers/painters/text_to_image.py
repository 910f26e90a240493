"""Text to image: pipelines of any class of the table; some fill with the same weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chatgenimage.workers.device import inference, seeded
from chatgenimage.workers.groups import make_alike
from chatgenimage.workers.image_options import refuse_unfit
from chatgenimage.workers.painter_config import TextToImageConfig
from chatgenimage.workers.painters.filler import Filler, FillSettings
from chatgenimage.workers.painters.opening import (
    class_name_at,
    guidance_of,
    open_pipeline,
    row_of,
    share_parts,
)
from chatgenimage.workers.painters.option_limits import limits_of
from chatgenimage.workers.painters.pipelines_table import FILLING, GENERATING, PipelineRow
from chatgenimage.workers.painters.prompts import chunks_of, prompt_arguments, unread_ends
from chatgenimage.workers.painters.sizes import refuse_unfit_size
from chatgenimage.workers.painting import images_of
from chatgenimage.workers.prompt_chunks import Chunks
from chatgenimage.workers.values import NO_OPTIONS, ImageOptions, Mask, ModelIdentity, RgbImage
from chatgenimage.workers.weights import local_files


@dataclass(frozen=True, slots=True)
class TextToImage:
    """An OptionsGenerator: paints prompts by the checkpoint's own class."""

    config: TextToImageConfig
    identity: ModelIdentity
    _pipeline: Any
    _row: PipelineRow

    @staticmethod
    def load(config: TextToImageConfig, device: str) -> "TextToImage":
        """Return the family ready on `device`; it also fills if its class can.

        Raises:
            CheckpointNotFound: If there are no weights.
            CheckpointBroken: If they do not load, or a setting would have no effect.
            UnfitImage: If the class cannot paint `size_wh`.
        """
        path = local_files.locate(config)
        name = class_name_at(path, config)
        row = row_of(name, GENERATING, config)
        refuse_unfit_size(config.size_wh, row.side_px)
        pipeline = open_pipeline(name, row, config, path, device)
        guidance = guidance_of(config, "guidance_scale", row, pipeline)
        config = config.model_copy(update={"guidance_scale": guidance})
        filler = _filler_with(pipeline, row, config)
        if filler is not None:
            filler.refuse_unfit_settings(config.checkpoint)
            settings = filler.settings
            used = {"fill_guidance_scale": settings.guidance, "fill_strength": settings.strength}
            config = config.model_copy(update=used)
        adapters = local_files.locate_adapters(config)
        identity = local_files.identity_of(config, path, adapters)
        if filler is None:
            return TextToImage(config, identity, pipeline, row)
        return FillingTextToImage(config, identity, pipeline, row, filler)

    def generate(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[RgbImage]:
        """Return one image of `size_wh` per prompt; arguments as of `generate_with`."""
        return self.generate_with(prompts, seeds, [NO_OPTIONS] * len(prompts))

    @inference
    def generate_with(
        self, prompts: Sequence[str], seeds: Sequence[int], options: Sequence[ImageOptions]
    ) -> list[RgbImage]:
        """Return one image per prompt.

        Args:
            prompts: Read as a whole, but for what `unread` returns.
            seeds: One per prompt; prompt and seed give the same image in any batch.
            options: Size and negative prompt, one per prompt.

        Raises:
            UnfitOptions: If the class cannot follow them.
        """
        refuse_unfit(lambda: limits_of(self.config), options)
        chunks = chunks_of(self._pipeline, self._row, prompts)
        return make_alike(chunks, seeds, options, self._generate)

    def unread(self, prompts: Sequence[str]) -> list[str]:
        """Return the end of each prompt that is not read; "" if it is read as a whole."""
        return unread_ends(self._pipeline, self._row, prompts)

    def _generate(
        self, prompts: Sequence[Chunks], seeds: Sequence[int], options: ImageOptions
    ) -> list[RgbImage]:
        """Return one image per prompt; all prompts have equally many chunks."""
        width, height = options.size_wh or self.config.size_wh
        negative_prompt = options.negative_prompt or self.config.negative_prompt
        output = self._pipeline(
            **prompt_arguments(self._pipeline, self._row, prompts, negative_prompt),
            **self._row.sizing(height, width),
            **{self._row.guided_by: self.config.guidance_scale},
            **self._row.stepping(self.config.num_inference_steps),
            generator=[seeded(seed) for seed in seeds],
            output_type="np",
        )
        return images_of(output, (height, width))


@dataclass(frozen=True, slots=True)
class FillingTextToImage(TextToImage):
    """An OptionsGenerator and ObjectFiller over one set of weights."""

    _filler: Filler

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
            prompts: Description of the masked part.
            seeds: One per image.

        Raises:
            UnfitImage: If a mask does not fit its image.
        """
        return self._filler.fill(images, mask_images, prompts, seeds)


def _filler_with(pipeline: Any, row: PipelineRow, config: TextToImageConfig) -> Filler | None:  # noqa: ANN401 (any class)
    """Return what fills with the same weights; None: the class cannot."""
    if row.filler is None:
        return None
    filling, fill_row = share_parts(row.filler, pipeline), FILLING[row.filler]
    settings = FillSettings(
        num_inference_steps=config.fill_num_inference_steps,
        guidance=guidance_of(config, "fill_guidance_scale", fill_row, filling),
        strength=config.fill_strength or fill_row.strength,
        negative_prompt=config.negative_prompt,
        mask_growth=config.fill_mask_growth,
        zoom_share=config.fill_zoom_share,
    )
    return Filler(filling, fill_row, settings)
