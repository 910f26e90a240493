"""Stable Diffusion (Rombach et al. 2022): generates, and fills by Blended Latent Diffusion."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import diffusers
from diffusers import AutoPipelineForInpainting, AutoPipelineForText2Image, DiffusionPipeline

from chatgenimage.workers import pixels
from chatgenimage.workers.device import inference, seeded
from chatgenimage.workers.errors import UnfitImage
from chatgenimage.workers.filling import Images, Masks, fill_inside
from chatgenimage.workers.groups import make_alike
from chatgenimage.workers.image_options import refuse_unfit
from chatgenimage.workers.mask_shrinking import ShrinkingMasks
from chatgenimage.workers.painter_config import StableDiffusionConfig
from chatgenimage.workers.painters.option_limits import SIDE_MULTIPLE_PX, limits_of
from chatgenimage.workers.painting import images_of
from chatgenimage.workers.prompt_chunks import Chunks, conditioning, split_prompt, unread_end
from chatgenimage.workers.values import NO_OPTIONS, ImageOptions, Mask, ModelIdentity, RgbImage
from chatgenimage.workers.weights import local_files
from chatgenimage.workers.weights.pipelines import INDEX_FILE, load_pipeline


@dataclass(frozen=True, slots=True)
class StableDiffusion:
    """An OptionsGenerator and ObjectFiller over one set of weights."""

    config: StableDiffusionConfig
    identity: ModelIdentity
    _generating: DiffusionPipeline
    _filling: DiffusionPipeline

    @classmethod
    def load(cls, config: StableDiffusionConfig, device: str) -> Self:
        """Return the family ready on `device`.

        Raises:
            CheckpointNotFound: If there are no weights.
            CheckpointBroken: If they do not load.
            UnfitImage: If the model cannot paint `size_wh`.
        """
        if any(side % SIDE_MULTIPLE_PX for side in config.size_wh):
            raise UnfitImage(
                f"size_wh {config.size_wh} cannot be painted; "
                f"both sides must be multiples of {SIDE_MULTIPLE_PX}."
            )
        path = local_files.locate(config)
        generating = load_pipeline(_kind_at(path, config), config, path, device)
        filling = _filling_with(generating)
        adapters = local_files.locate_adapters(config)
        identity = local_files.identity_of(config, path, adapters)
        return cls(config, identity, generating, filling)

    def generate(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[RgbImage]:
        """Return one image of `size_wh` per prompt; arguments as of `generate_with`."""
        return self.generate_with(prompts, seeds, [NO_OPTIONS] * len(prompts))

    @inference
    def generate_with(
        self, prompts: Sequence[str], seeds: Sequence[int], options: Sequence[ImageOptions]
    ) -> list[RgbImage]:
        """Return one image per prompt.

        Args:
            prompts: Read in chunks, but for what `unread` returns.
            seeds: One per prompt; prompt and seed give the same image in any batch.
            options: Size and negative prompt, one per prompt.

        Raises:
            UnfitOptions: If the checkpoint cannot follow them.
        """
        refuse_unfit(lambda: limits_of(self.config), options)
        chunks = [split_prompt(self._generating, prompt) for prompt in prompts]
        return make_alike(chunks, seeds, options, self._generate)

    def unread(self, prompts: Sequence[str]) -> list[str]:
        """Return the end of each prompt that is not read; "" if it is read as a whole."""
        return [unread_end(self._generating, prompt) for prompt in prompts]

    @inference
    def fill(
        self,
        images: Sequence[RgbImage],
        mask_images: Sequence[Mask],
        prompts: Sequence[str],
        seeds: Sequence[int],
    ) -> list[RgbImage]:
        """Return the images with their masked part repainted; every pixel outside is unchanged.

        Blended Latent Diffusion (Avrahami et al. 2022, algorithm 1): the latents outside the mask
        are replaced by the noised original's at every step.

        Args:
            images: (H, W, 3) each; sizes may differ.
            mask_images: (H, W) each, True is repainted.
            prompts: Description of the masked part.
            seeds: One per image.

        Raises:
            UnfitImage: If a mask does not fit its image.
        """
        chunks = [split_prompt(self._generating, prompt) for prompt in prompts]

        def paint(images: Images, masks: Masks, group: Sequence[int]) -> list[RgbImage]:
            """Return painted images of one shape; `group` has their places in the call."""
            return self._paint(
                images, masks, [chunks[index] for index in group], [seeds[index] for index in group]
            )

        alike = list(map(len, chunks))
        return fill_inside(images, mask_images, paint, alike, self.config.fill_zoom_share)

    def _generate(
        self, prompts: Sequence[Chunks], seeds: Sequence[int], options: ImageOptions
    ) -> list[RgbImage]:
        """Return one image per prompt; all prompts have equally many chunks."""
        width, height = options.size_wh or self.config.size_wh
        negative_prompt = options.negative_prompt or self.config.negative_prompt
        output = self._generating(
            **conditioning(self._generating, prompts, negative_prompt),
            height=height,
            width=width,
            num_inference_steps=self.config.num_inference_steps,
            guidance_scale=self.config.guidance_scale,
            generator=[seeded(seed) for seed in seeds],
            output_type="np",
        )
        return images_of(output, (height, width))

    def _paint(
        self,
        images: Sequence[RgbImage],
        mask_images: Sequence[Mask],
        prompts: Sequence[Chunks],
        seeds: Sequence[int],
    ) -> list[RgbImage]:
        """Return images of one shape from the pipeline, before the outside is restored."""
        cell_px = self._filling.vae_scale_factor
        tensor = pixels.to_tensor(images, multiple_of=cell_px)
        cells = pixels.to_cells(mask_images, cell_px)
        shrinking = ShrinkingMasks.over(cells, self.config.fill_mask_growth)
        steps = self.config.fill_num_inference_steps
        output = self._filling(
            **conditioning(self._generating, prompts, self.config.negative_prompt),
            image=tensor,
            mask_image=pixels.from_cells(shrinking.at(0, steps), cell_px),
            callback_on_step_end=shrinking,
            callback_on_step_end_tensor_inputs=["mask"],
            height=tensor.shape[2],
            width=tensor.shape[3],
            strength=1.0,
            num_inference_steps=steps,
            guidance_scale=self.config.fill_guidance_scale,
            generator=[seeded(seed) for seed in seeds],
            output_type="np",
        )
        return images_of(output, images[0].shape[:2])


def _kind_at(path: Path, config: StableDiffusionConfig) -> Any:  # noqa: ANN401 (a pipeline class)
    """Return the pipeline class of a checkpoint; a single file has that of its `settings_of`."""
    if path.is_dir() or config.settings_of is None:
        return AutoPipelineForText2Image
    source = local_files.locate_settings(config.settings_of)
    return getattr(diffusers, json.loads((source / INDEX_FILE).read_text())["_class_name"])


def _filling_with(generating: DiffusionPipeline) -> DiffusionPipeline:
    """Return the inpainting pipeline over the same weights.

    It has its own scheduler, because a scheduler has state.
    """
    scheduler = type(generating.scheduler).from_config(generating.scheduler.config)
    filling = AutoPipelineForInpainting.from_pipe(generating, scheduler=scheduler)
    filling.set_progress_bar_config(disable=True)
    return filling
