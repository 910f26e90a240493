"""The thresholds of the image filter (paper section 3.5)."""

from pydantic import BaseModel, ConfigDict, Field


class FilterThresholds(BaseModel):
    """What a candidate must reach; scores are stored, verdicts are derived from these."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    brightest_min: float = Field(
        0.3, ge=0, le=1, description="Least luminance of the brightest percent: else too dark."
    )
    darkest_max: float = Field(
        0.9, ge=0, le=1, description="Most luminance of the darkest percent: else too bright."
    )
    contrast_min: float = Field(
        0.1, ge=0, le=1, description="Least luminance from the darkest to the brightest percent."
    )
    blur_max: float = Field(
        0.75, ge=0, le=1, description="Most blur, as scikit-image measures it; 0 is sharp."
    )
    psnr_min_db: float = Field(
        18.0, ge=0, description="Least PSNR to the parent over what should not have changed, dB."
    )
    ssim_min: float = Field(
        0.6, ge=-1, le=1, description="Least SSIM to the parent over what should not have changed."
    )
    seam_max: float = Field(
        20.0, ge=0, description="Most visible edge of a filled box, levels of 255 above before."
    )
    clip_similarity_min: float = Field(
        0.2, ge=-1, le=1, description="Least cosine of the image with its scene description."
    )
    keep_top_k: int = Field(
        4, ge=1, description="Children of one parent that are kept, best CLIP similarity first."
    )
    background_probability_min: float = Field(
        0.4, ge=0, le=1, description="Least CLIP probability of the asked background among all."
    )
    object_kept_iou_min: float = Field(
        0.5, ge=0, le=1, description="Least IoU of a parent's object with one found on the child."
    )
    fill_iou_min: float = Field(
        0.5, ge=0, le=1, description="Least IoU of the asked box with the object found in it."
    )
    label_confidence_min: float = Field(
        0.35, ge=0, le=1, description="Least confidence of the asked label's best box."
    )
    duplicate_bits_max: int = Field(
        6,
        ge=0,
        le=7,
        description="Most of 64 bits in which the perceptual hashes of near-duplicates differ.",
    )
    duplicate_similarity_max: float = Field(
        0.95, ge=-1, le=1, description="Most cosine of the CLIP embeddings of two of those images."
    )
