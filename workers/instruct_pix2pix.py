"""InstructPix2Pix (Brooks et al. 2023): edits an image by instruction."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

from diffusers import StableDiffusionInstructPix2PixPipeline

from chatgenimage.workers import pixels
from chatgenimage.workers.device import inference, seeded
from chatgenimage.workers.groups import group_equal
from chatgenimage.workers.painter_config import InstructPix2PixConfig
from chatgenimage.workers.painters.pipelines_table import ABOVE_ONE
from chatgenimage.workers.painters.sizes import paint_at_most
from chatgenimage.workers.painting import images_of
from chatgenimage.workers.prompt_chunks import Chunks, conditioning, split_prompt, unread_end
from chatgenimage.workers.values import ModelIdentity, RgbImage
from chatgenimage.workers.weights import local_files
from chatgenimage.workers.weights.pipelines import load_pipeline


@dataclass(frozen=True, slots=True)
class InstructPix2Pix:
    """A BackgroundEditor."""

    config: InstructPix2PixConfig
    identity: ModelIdentity
    _editing: StableDiffusionInstructPix2PixPipeline

    @classmethod
    def load(cls, config: InstructPix2PixConfig, device: str) -> Self:
        """Return the family ready on `device`.

        Raises:
            CheckpointNotFound: If there are no weights.
            CheckpointBroken: If they do not load.
        """
        path = local_files.locate(config)
        editing = load_pipeline(StableDiffusionInstructPix2PixPipeline, config, path, device)
        adapters = local_files.locate_adapters(config)
        return cls(config, local_files.identity_of(config, path, adapters), editing)

    @inference
    def edit(
        self, images: Sequence[RgbImage], instructions: Sequence[str], seeds: Sequence[int]
    ) -> list[RgbImage]:
        """Return the edited images, each with the size of its input.

        Args:
            images: (H, W, 3) each; sizes may differ.
            instructions: Read in chunks, but for what `unread` returns.
            seeds: One per image.
        """
        edited = list(images)
        most_px = self.config.edit_side_px and self.config.edit_side_px**2
        chunks = [split_prompt(self._editing, instruction) for instruction in instructions]
        shapes = (image.shape for image in images)
        for group in group_equal(zip(shapes, map(len, chunks), strict=True)):
            edit = partial(
                self._edit_alike,
                instructions=[chunks[index] for index in group],
                seeds=[seeds[index] for index in group],
            )
            own, cell_px = [images[index] for index in group], self._editing.vae_scale_factor
            repainted = paint_at_most(own, most_px, cell_px, edit)
            for index, image in zip(group, repainted, strict=True):
                edited[index] = image
        return edited

    def unread(self, prompts: Sequence[str]) -> list[str]:
        """Return the end of each instruction that is not read; "" if it is read as a whole."""
        return [unread_end(self._editing, prompt) for prompt in prompts]

    def _edit_alike(
        self, images: Sequence[RgbImage], instructions: Sequence[Chunks], seeds: Sequence[int]
    ) -> list[RgbImage]:
        """Return the edited images, all of one shape, by instructions of equally many chunks."""
        output = self._editing(
            **conditioning(self._editing, instructions, negative_prompt=""),
            image=pixels.to_tensor(images, multiple_of=self._editing.vae_scale_factor),
            num_inference_steps=self.config.num_inference_steps,
            guidance_scale=max(self.config.guidance_scale, ABOVE_ONE),
            image_guidance_scale=self.config.image_guidance_scale,
            generator=[seeded(seed) for seed in seeds],
            output_type="np",
        )
        return images_of(output, images[0].shape[:2])
