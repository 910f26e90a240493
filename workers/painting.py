"""The result of a diffusion pipeline: checked, then converted to images."""

from typing import Any

import numpy as np

from chatgenimage.workers import pixels
from chatgenimage.workers.errors import ImageWithheld, NotANumber
from chatgenimage.workers.values import RgbImage


def images_of(output: Any, shape_hw: tuple[int, ...]) -> list[RgbImage]:  # noqa: ANN401 (pipelines' own)
    """Return the images of a pipeline's output with `output_type="np"`, cropped to `shape_hw`.

    Raises:
        NotANumber: If numbers overflowed; they would become black pixels.
        ImageWithheld: If the safety checker found something; it paints such images black.
    """
    if any(getattr(output, "nsfw_content_detected", None) or ()):
        raise ImageWithheld(
            "the checkpoint's safety checker withheld the image. Another prompt or seed may pass; "
            "`safety_checker: false` turns it off."
        )
    if not np.isfinite(output.images).all():
        raise NotANumber(
            "the model computed numbers that are none (NaN): its weights overflow in this "
            "precision. Set `dtype: bfloat16` or `dtype: float32` of this family."
        )
    return pixels.to_images(output.images, shape_hw)
