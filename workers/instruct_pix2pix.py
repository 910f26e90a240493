"""InstructPix2Pix (Brooks et al. 2023): edits an image by instruction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from diffusers import StableDiffusionInstructPix2PixPipeline

from chatgenimage.workers import pixels
from chatgenimage.workers.config import InstructPix2PixConfig
from chatgenimage.workers.device import inference, seeded
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
            instructions: Cut at the text encoder's context length.
            seeds: One per image.
        """
        edited = list(images)
        for group in pixels.by_shape(images):
            repainted = self._edit_alike(
                [images[index] for index in group],
                [instructions[index] for index in group],
                [seeds[index] for index in group],
            )
            for index, image in zip(group, repainted, strict=True):
                edited[index] = image
        return edited

    def _edit_alike(
        self, images: Sequence[RgbImage], instructions: Sequence[str], seeds: Sequence[int]
    ) -> list[RgbImage]:
        """Return the edited images, all of one shape."""
        output = self._editing(
            list(instructions),
            image=pixels.to_tensor(images, multiple_of=self._editing.vae_scale_factor),
            num_inference_steps=self.config.num_inference_steps,
            guidance_scale=self.config.guidance_scale,
            image_guidance_scale=self.config.image_guidance_scale,
            generator=[seeded(seed) for seed in seeds],
            output_type="np",
        )
        return pixels.to_images(output.images, images[0].shape[:2])
