"""How a run goes down its chain, and how its work is delivered: the run's own settings."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from chatgenimage.tasks.thresholds import FilterThresholds


class ChainOptions(BaseModel):
    """What each label gets: how many images, how many rounds, how many variations."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Literal["prompts", "pictures"] = Field(
        "prompts",
        description="What a chain opens with: prompts that are painted, or the pictures that "
        "`factory annotate` brings; it alone sets this.",
    )
    longest_side_px: int = Field(
        1333,
        ge=16,
        le=16_384,
        description="A person's larger pictures are kept scaled down to this; Grounding DINO sees "
        "no more.",
    )
    mode: Literal["scene", "object"] = Field(
        "scene", description="The paper's two cases: complex scenes or object-centric images."
    )
    per_label: int = Field(
        8, ge=1, le=100_000, description="Images generated per label; with a quota, at first."
    )
    accepted: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="Quota: more images of a label are generated until so many are accepted.",
    )
    max_images: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="Most images generated per label for its quota; unset: 20 times the quota.",
    )
    batch_size: int = Field(8, ge=1, le=256, description="Images that travel together.")
    rounds: int = Field(1, ge=0, le=10, description="Repetitions of Algorithm 1, lines 6-16.")
    scenes_per_candidate: int = Field(2, ge=1, le=20, description="n of Algorithm 1, line 8.")
    placements_per_candidate: int = Field(1, ge=1, le=10, description="New objects tried.")
    fill_prompt: str = Field(
        "{object} {relationship}",
        pattern=r"^[^{}]*\{object\}([^{}]|\{relationship\}|\{place\})*$",
        description="What the filling model is told: {object} is the object with its article, "
        "{relationship} the language model's words, {place} the scene's background.",
    )
    fill_predictions: int = Field(
        1,
        ge=1,
        le=24,
        description="Fills of each box, of which the one most like its prompt is kept; more than "
        "one needs the family `similarity` in the role that serves `diffusion`.",
    )
    prompt_similarity_max: float = Field(
        0.95,
        gt=0,
        le=1,
        description="Share of common words from which on a label's prompts are the same.",
    )
    class_list: tuple[str, ...] = Field(
        (), description="Names the detector always looks for besides the label and the caption."
    )
    caption_nouns: bool = Field(
        default=True, description="Whether the detector also looks for the caption's nouns."
    )
    background_list: tuple[str, ...] = Field(
        (), description="Backgrounds that an asked one must be told from, as noun phrases."
    )
    nms_iou: float = Field(0.5, ge=0, le=1, description="Boxes of one class that overlap more.")
    agnostic_iou: float = Field(0.8, ge=0, le=1, description="Boxes of any class that do.")


class DeliveryOptions(BaseModel):
    """Leases, attempts and the window."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    window: int = Field(8, ge=1, description="Batches that are rung for at once, per queue.")
    lease_s: float = Field(90.0, gt=0, description="How long a claim holds without a heartbeat.")
    heartbeat_s: float = Field(10.0, gt=0, description="How often a claim is renewed.")
    stale_s: float = Field(
        10.0, gt=0, description="A doorbell that the broker lacks is on its way for this long."
    )
    max_attempts: int = Field(
        3,
        ge=1,
        description="Tries of one item before quarantine; 2 at least if they end without a word, "
        "as when its worker dies.",
    )
    max_backoff_s: float = Field(60.0, ge=0, description="Longest wait after a transient fault.")
    visibility_timeout_s: int = Field(21_600, ge=60, description="Redis: longer than any step.")
    time_limit_s: int = Field(
        3_600,
        ge=10,
        description="Most that one claim of a step may take: its pass is given back 30 s before "
        "(a quarter before, if that is less), and its process killed at the end.",
    )


class RunOptions(BaseModel):
    """The part of a frozen profile that the steps read."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    chain: ChainOptions = ChainOptions()
    thresholds: FilterThresholds = FilterThresholds()
