"""Predictions: choose the best of several fills of a box (Avrahami et al. 2022, section 4.4)."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from chatgenimage.tasks.image_lineage import Lineage, derive_seed
from chatgenimage.workers.crop_zoom import Zoom
from chatgenimage.workers.interfaces import ImageTextEncoder, ObjectFiller
from chatgenimage.workers.values import Mask, RgbImage

RANKED_SHARE = 0.75
"""Share of the encoder's crop that the filled box takes: the object and its surroundings."""


def seed_of(lineage: Lineage, prediction: int) -> int:
    """Return the seed of a prediction; the first has the candidate's own seed."""
    return lineage.seed if prediction == 0 else derive_seed(lineage.seed, "prediction", prediction)


def predict(
    filler: ObjectFiller,
    images: Sequence[RgbImage],
    mask_images: Sequence[Mask],
    lineages: Sequence[Lineage],
    count: int,
) -> Iterator[list[RgbImage]]:
    """Yield `count` fills of every image, one pass per prediction, so that passes stay small."""
    prompts = [lineage.prompt_text for lineage in lineages]
    for prediction in range(count):
        seeds = [seed_of(lineage, prediction) for lineage in lineages]
        yield filler.fill(images, mask_images, prompts, seeds)


def choose_best(
    encoder: ImageTextEncoder,
    predictions: Sequence[Sequence[RgbImage]],
    mask_images: Sequence[Mask],
    lineages: Sequence[Lineage],
) -> tuple[list[RgbImage], list[dict[str, Any]]]:
    """Return each box's best prediction, and notes about the choice.

    The best is the one whose crop around the box has the highest cosine with the prompt.
    """
    texts = encoder.embed_texts([lineage.prompt_text for lineage in lineages])
    cosines = np.stack(
        [
            (encoder.embed_images(_parts(images, mask_images)) * texts).sum(axis=1)
            for images in predictions
        ]
    )
    best = cosines.argmax(axis=0)
    chosen = [predictions[place][index] for index, place in enumerate(best)]
    notes = [
        {
            "fill_predictions": len(predictions),
            "fill_prediction": int(place),
            "fill_prediction_seed": seed_of(lineages[index], int(place)),
            "fill_similarities": [round(float(cosine), 4) for cosine in cosines[:, index]],
        }
        for index, place in enumerate(best)
    ]
    return chosen, notes


def _parts(images: Sequence[RgbImage], mask_images: Sequence[Mask]) -> list[RgbImage]:
    return [
        Zoom.on(mask, RANKED_SHARE).enlarge(image)
        for image, mask in zip(images, mask_images, strict=True)
    ]
