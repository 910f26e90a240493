"""Thresholds of the image filter (paper section 3.5)."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

DOMAIN_PROBABILITY_MIN = 0.5
"""Must not change: runs with this value are stored without it."""


SEEN_MIN = 0.5
"""Must not change: runs with this value are stored without it."""


SEEN_COUNT_MIN = 0.6
"""Two counted against one box (0.5) differ too much, three against two (0.67) do not. Must not
change, as above."""


def _seen(description: str, least: float = SEEN_MIN) -> Any:  # noqa: ANN401  # a pydantic field
    return Field(
        least,
        ge=0,
        le=1,
        exclude_if=lambda value: value == least,  # as in version 0.2
        description=description,
    )


class FilterThresholds(BaseModel):
    """Required values of a candidate's scores; verdicts are derived from these."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    brightest_min: float = Field(
        0.3, ge=0, le=1, description="Minimum luminance of the brightest percent; less: too dark."
    )
    darkest_max: float = Field(
        0.9, ge=0, le=1, description="Maximum luminance of the darkest percent; more: too bright."
    )
    contrast_min: float = Field(
        0.1, ge=0, le=1, description="Minimum luminance difference of these two percents."
    )
    blur_max: float = Field(
        0.75, ge=0, le=1, description="Maximum blur, as scikit-image measures it; 0 is sharp."
    )
    psnr_min_db: float = Field(
        18.0, ge=0, description="Minimum PSNR to the parent in the region not to be changed, dB."
    )
    ssim_min: float = Field(
        0.6, ge=-1, le=1, description="Minimum SSIM to the parent in the region not to be changed."
    )
    seam_max: float = Field(
        20.0, ge=0, description="Maximum added contrast at the edge of a filled box, of 255 levels."
    )
    clip_similarity_min: float = Field(
        0.2, ge=-1, le=1, description="Minimum cosine of the image with its scene description."
    )
    keep_top_k: int = Field(
        4, ge=1, description="Children of one parent that are kept, best CLIP similarity first."
    )
    background_probability_min: float = Field(
        0.4, ge=0, le=1, description="Minimum CLIP probability of the requested background."
    )
    domain_probability_min: float = Field(
        DOMAIN_PROBABILITY_MIN,
        ge=0,
        le=1,
        exclude_if=lambda value: value == DOMAIN_PROBABILITY_MIN,  # as in version 0.2
        description="Minimum CLIP probability of the requested domain.",
    )
    seen_whole_min: float = _seen("Minimum answer of the judge: its label is there, plausible.")
    seen_background_min: float = _seen("Minimum answer of the judge: it is on its background.")
    seen_count_min: float = _seen(
        "Minimum ratio of the judge's count of a label and its boxes.", SEEN_COUNT_MIN
    )
    seen_boxes_min: float = _seen("Minimum answer of the judge about the doubtful box: its label.")
    object_kept_iou_min: float = Field(
        0.5, ge=0, le=1, description="Minimum IoU of a parent's object with one on the child."
    )
    fill_iou_min: float = Field(
        0.5, ge=0, le=1, description="Minimum IoU of the requested box with the object in it."
    )
    label_confidence_min: float = Field(
        0.35, ge=0, le=1, description="Minimum confidence of the requested label's best box."
    )
    duplicate_bits_max: int = Field(
        6,
        ge=0,
        le=7,
        description="Maximum number of different bits (of 64) in hashes of near-duplicates.",
    )
    duplicate_similarity_max: float = Field(
        0.95, ge=-1, le=1, description="Cosine of CLIP embeddings above which they are duplicates."
    )
    of_plugins: dict[str, float] = Field(
        default_factory=dict,
        exclude_if=lambda values: not values,
        description="Thresholds of the filter rules of plug-ins, by the name of the score.",
    )
