"""An image model behind an OpenAI-compatible endpoint: generates, edits and fills.

These servers take no seed: an image that they painted cannot be painted again. The same request
with the same seed is answered from the cache.
"""

from collections.abc import Sequence
from typing import Self

import numpy as np
import structlog

from chatgenimage.workers.errors import AnswerRefused, UnfitOptions
from chatgenimage.workers.image_canvas import Canvas
from chatgenimage.workers.image_options import refuse_unfit, spell_size
from chatgenimage.workers.interfaces import ImageCache
from chatgenimage.workers.llm.image_answers import encode_image
from chatgenimage.workers.llm.image_endpoint import ImageEndpoint, ImageRequest
from chatgenimage.workers.painters.option_limits import limits_of
from chatgenimage.workers.server_config import OpenAiImagesConfig
from chatgenimage.workers.values import NO_OPTIONS, ImageOptions, Mask, ModelIdentity, RgbImage

log = structlog.get_logger()

MOST_STRETCH = 1.1
"""Most by which an edited image may be wider or higher than what was sent, after scaling."""


class OpenAiImages:
    """Family `openai_images`: satisfies OptionsGenerator, BackgroundEditor and ObjectFiller."""

    def __init__(self, endpoint: ImageEndpoint, config: OpenAiImagesConfig) -> None:
        self._endpoint = endpoint
        self._config = config
        self._wanted_wh = _size_of(config.size)
        self._reports_size = False
        settings = {
            "host": endpoint.server.host,
            "size": config.size,
            "quality": config.quality,
        }
        self.identity = ModelIdentity("openai_images", config.model, config.model, settings)

    @classmethod
    def load(cls, config: OpenAiImagesConfig, memory: ImageCache | None = None) -> Self:
        """Return the model; nothing is asked yet.

        Args:
            config: Names server and model.
            memory: Where images are kept, so that no request is paid for twice.

        Raises:
            CheckpointNotFound: If there is neither a key nor a server of your own.
        """
        return cls(ImageEndpoint.connect(config, memory), config)

    @property
    def concurrency(self) -> int:
        """Return how many more requests the server takes now, as far as is known; at least 1."""
        return self._endpoint.server.concurrency

    def generate(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[RgbImage]:
        """Return one image per prompt, of the size that the server painted.

        Raises:
            ConversationFailed: If the server refuses or is not available.
        """
        return self.generate_with(prompts, seeds, [NO_OPTIONS] * len(prompts))

    def generate_with(
        self, prompts: Sequence[str], seeds: Sequence[int], options: Sequence[ImageOptions]
    ) -> list[RgbImage]:
        """Return one image per prompt; one without a size of its own has the server's.

        Raises:
            ConversationFailed: If the server refuses or is not available.
            UnfitOptions: If there is a negative prompt, or the server painted another size.
        """
        refuse_unfit(lambda: limits_of(self._config), options)
        return [
            self._generate(prompt, seed, each.size_wh)
            for prompt, seed, each in zip(prompts, seeds, options, strict=True)
        ]

    def _report_other_size(self, image: RgbImage) -> None:
        """Log once that the server paints in another size than it is asked for."""
        painted_wh = (image.shape[1], image.shape[0])
        if self._wanted_wh not in {None, painted_wh} and not self._reports_size:
            self._reports_size = True
            log.warning("image_server_size", asked_wh=self._wanted_wh, painted_wh=painted_wh)

    def edit(
        self, images: Sequence[RgbImage], instructions: Sequence[str], seeds: Sequence[int]
    ) -> list[RgbImage]:
        """Return the edited images, each with the size of its input.

        Raises:
            ConversationFailed: If the server refuses or is not available.
        """
        return [
            self._repaint("edit", image, None, instruction, seed)
            for image, instruction, seed in zip(images, instructions, seeds, strict=True)
        ]

    def fill(
        self,
        images: Sequence[RgbImage],
        mask_images: Sequence[Mask],
        prompts: Sequence[str],
        seeds: Sequence[int],
    ) -> list[RgbImage]:
        """Return the images with their masked part repainted; every pixel outside is unchanged.

        Raises:
            ConversationFailed: If the server refuses or is not available.
        """
        return [
            np.where(mask[..., None], self._repaint("fill", image, mask, prompt, seed), image)
            for image, mask, prompt, seed in zip(images, mask_images, prompts, seeds, strict=True)
        ]

    def _generate(self, prompt: str, seed: int, size_wh: tuple[int, int] | None) -> RgbImage:
        """Return one image.

        Args:
            prompt: Sent as it is.
            seed: Distinguishes equal prompts in the cache; the server does not get it.
            size_wh: Width and height that the label asks for, pixels; None: the profile's size.

        Raises:
            UnfitOptions: If the server painted another size than the label asks for.
        """
        size = None if size_wh is None else spell_size(size_wh)
        image = self._endpoint.ask(ImageRequest("image", prompt, seed, {}, size))
        painted_wh = (image.shape[1], image.shape[0])
        if size_wh is None:
            self._report_other_size(image)
        elif size_wh != painted_wh:
            raise UnfitOptions(
                f"the label asks for {size} pixels, and {self._config.model} painted "
                f"{spell_size(painted_wh)}; write a size that the server has."
            )
        return image

    def _repaint(
        self, kind: str, image: RgbImage, mask: Mask | None, prompt: str, seed: int
    ) -> RgbImage:
        canvas = Canvas.around(image, self._wanted_wh)
        files = {"image": encode_image(canvas.put(image))}
        if mask is not None:
            files["mask"] = _mask_file(canvas.put_mask(mask))
        painted = self._endpoint.ask(ImageRequest(kind, prompt, seed, files))
        _refuse_other_shape(painted, canvas.size_wh)
        return canvas.cut(painted, image.shape)


def _refuse_other_shape(painted: RgbImage, sent_wh: tuple[int, int]) -> None:
    """Raise AnswerRefused if the painted image would be squeezed to fit; it is paid for already."""
    height, width = painted.shape[:2]
    stretch = (width * sent_wh[1]) / (height * sent_wh[0])
    if not 1 / MOST_STRETCH <= stretch <= MOST_STRETCH:
        raise AnswerRefused(
            f"the server painted {width}x{height} pixels where an image of {sent_wh[0]}x"
            f"{sent_wh[1]} was sent, so its objects are elsewhere: set `size` of the family to a "
            "size that the server paints."
        )


def _mask_file(mask: Mask) -> bytes:
    """Return a mask's file, transparent where to repaint; also white there, for other servers."""
    white = np.where(mask[..., None], np.uint8(255), np.uint8(0)).repeat(3, axis=2)
    return encode_image(white, transparent=mask)


def _size_of(size: str | None) -> tuple[int, int] | None:
    width, by, height = (size or "").partition("x")
    return (int(width), int(height)) if by else None
