"""Settings that families with weights have in common; `config.py` has a class per family."""

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

CHECKPOINT = (
    "A folder or file, `bundled:<name>` for weights that ship with the package, or a hub id."
)
IN_BFLOAT16 = (
    "Precision on the device; auto: bfloat16 on cuda and on a processor that is faster with it, "
    "else float32."
)
"""Describes `dtype` of models that were trained in bfloat16."""


class WeightsConfig(BaseModel):
    """Checkpoint and precision of a family's weights."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    HALF: ClassVar[Literal["float16", "bfloat16"]] = "float16"
    """Precision on cuda with `dtype: auto`."""

    checkpoint: str = Field(min_length=1, description=CHECKPOINT)
    revision: str | None = Field(None, description="Hub commit to pin; None for local folders.")
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = Field(
        "float32",
        description="Precision on the device; auto: float16 on cuda, bfloat16 on a processor that "
        "is faster with it, else float32.",
    )


class CaptionerConfig(WeightsConfig):
    """Settings of captioners besides their weights."""

    max_new_tokens: int = Field(40, ge=1, description="Longest caption, tokens.")
    num_beams: int = Field(1, ge=1, description="Beams of the search; 1 is greedy.")
    length_penalty: float = Field(
        1.0, description="With beams: above 1 favours longer captions, which name more objects."
    )


class DetectorConfig(WeightsConfig):
    """Settings of detectors besides their weights."""

    box_threshold: float = Field(0.3, ge=0, le=1, description="Minimum confidence of a box.")
    max_labels_per_prompt: int = Field(12, ge=1, description="Longer lists are split.")
