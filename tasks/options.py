"""Options of a run that shape its chain and the delivery of its work."""

from typing import TYPE_CHECKING, Annotated, Any, Literal
from weakref import WeakKeyDictionary

from pydantic import BaseModel, ConfigDict, Field, field_validator

from chatgenimage.tasks.names import (
    LONGEST_SIDE_PX,
    PROMPT_SLOT,
    SHORTEST_SIDE_PX,
    clean_domains,
    clean_style,
)
from chatgenimage.tasks.thresholds import FilterThresholds
from chatgenimage.workers.values import ImageOptions

if TYPE_CHECKING:  # settings use these options too, without SQLAlchemy
    from chatgenimage.db.models import Run


Check = Literal["whole", "background", "count", "boxes"]
Side = Annotated[int, Field(ge=SHORTEST_SIDE_PX, le=LONGEST_SIDE_PX)]
USUAL_CHECKS: tuple[Check, ...] = ("whole", "background", "count")


def _is_unset(value: object) -> bool:
    """Return whether a field is not stored with a run: it is stored as before the field existed."""
    return not value


class ChainOptions(BaseModel):
    """Number of images, rounds and variations per label."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Literal["prompts", "pictures"] = Field(
        "prompts",
        description="Start of a chain: generated images, or the imported images of `factory "
        "annotate`, which is the only command that sets it.",
    )
    longest_side_px: int = Field(
        1333,
        ge=16,
        le=16_384,
        description="Larger imported images are scaled down to this size; Grounding DINO sees "
        "no more.",
    )
    mode: Literal["scene", "object"] = Field(
        "scene", description="The paper's two cases: complex scenes or object-centric images."
    )
    per_label: int = Field(
        8, ge=1, le=100_000, description="Images generated per label; with a quota, the first ones."
    )
    accepted: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="Quota: more images of a label are generated until this many are accepted.",
    )
    max_images: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="Maximum number of images generated for a quota; unset: 20 times the quota.",
    )
    domains: tuple[str, ...] = Field(
        (),
        exclude_if=_is_unset,
        description="Conditions or places among which the images of each label are divided "
        "evenly, e.g. [at night, in fog]; a label's own list replaces it.",
    )
    batch_size: int = Field(8, ge=1, le=256, description="Images processed in one batch.")
    rounds: int = Field(1, ge=0, le=10, description="Repetitions of Algorithm 1, lines 6-16.")
    scenes_per_candidate: int = Field(2, ge=1, le=20, description="n of Algorithm 1, line 8.")
    placements_per_candidate: int = Field(1, ge=1, le=10, description="New objects per edit.")
    fill_prompt: str = Field(
        "{object} {relationship}",
        pattern=r"^[^{}]*\{object\}([^{}]|\{relationship\}|\{place\})*$",
        description="Prompt of the filling model: {object} is the object with its article, "
        "{relationship} the language model's text, {place} the scene's background.",
    )
    fill_predictions: int = Field(
        1,
        ge=1,
        le=24,
        description="Fills of each box; the one most like its prompt is kept. More than one needs "
        "the family `similarity` in the role that serves `diffusion`.",
    )
    prompt_similarity_max: float = Field(
        0.95,
        gt=0,
        le=1,
        description="Share of common words at which two prompts of a label count as the same.",
    )
    class_list: tuple[str, ...] = Field(
        (),
        description="Names to detect in addition to the label and the caption's nouns. Exports "
        "leave them out, without `--extras`, if they are not labels of the run.",
    )
    search_for: Literal["label", "run"] = Field(
        "label",
        exclude_if=lambda searched: searched == "label",  # as stored before it existed
        description="Classes that the detector looks for on each image: those of its own label, or "
        "of all labels of its run. The names of `class_list` and the caption's nouns are added.",
    )
    run_phrases: dict[str, str] = Field(
        {},
        exclude_if=_is_unset,
        description="Class by phrase, for all phrases that are looked for on each image of a run "
        "with `search_for: run`. Submission sets it from the labels.",
    )
    box_thresholds: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(
        {},
        exclude_if=_is_unset,
        description="Minimum confidence of a box by class, where it is higher than the detector's "
        "`box_threshold`: {dog: 0.4}. `factory thresholds --objects` suggests them.",
    )
    phrases: dict[str, tuple[str, ...]] = Field(
        {},
        description="Phrases to detect instead of a name, by name: {referee: [striped shirt]}. "
        "What is found has the name.",
    )
    classes: dict[str, str] = Field(
        {},
        exclude_if=_is_unset,
        description="Class by word, in any case: {dog: wooden_dog}. What is found or added by "
        "that word, on an image of any label, has the class. Label files set it.",
    )
    painted: dict[str, str] = Field(
        {},
        exclude_if=_is_unset,
        description="Words by which a class is painted instead of its name, by name: "
        "{forklift: yellow forklift truck}.",
    )
    style: str = Field(
        "{prompt}",
        exclude_if=lambda style: style == PROMPT_SLOT,
        description="Form of the prompts of first images: a prefix and a suffix around {prompt}, "
        "e.g. `a photo of {prompt}, 35 mm`. A label's own style replaces it.",
    )
    styles: dict[str, str] = Field(
        {},
        exclude_if=_is_unset,
        description="Styles of single labels, by label; the column `style` of a label file.",
    )
    negative_prompts: dict[str, str] = Field(
        {},
        exclude_if=_is_unset,
        description="Negative prompts of the first images of single labels, by label; the column "
        "`negative_prompt` of a label file.",
    )
    sizes: dict[str, tuple[Side, Side]] = Field(
        {},
        exclude_if=_is_unset,
        description="Width and height of the first images of single labels, pixels, by label; the "
        "column `size` of a label file.",
    )
    caption_nouns: bool = Field(
        default=True, description="Whether the detector also looks for the caption's nouns."
    )
    background_list: tuple[str, ...] = Field(
        (), description="Other backgrounds to compare the requested one with, as noun phrases."
    )
    visual_checks: tuple[Check, ...] = Field(
        USUAL_CHECKS,
        exclude_if=lambda checks: checks == USUAL_CHECKS,  # other runs are stored as in version 0.2
        description="What the family `judging` is asked about each image: whether its label is "
        "there, whole and plausible; whether it is on its background; how many there are; whether "
        "each box has its label (a question per box).",
    )
    nms_iou: float = Field(
        0.5, ge=0, le=1, description="Boxes of one class with a higher IoU are one object."
    )
    agnostic_iou: float = Field(
        0.8, ge=0, le=1, description="Boxes of any class with a higher IoU are one object."
    )

    def image_options(self, label: str) -> ImageOptions:
        """Return the options of the first images of a label."""
        return ImageOptions(self.sizes.get(label), self.negative_prompts.get(label))

    @field_validator("classes")
    @classmethod
    def _fold_words(cls, value: dict[str, str]) -> dict[str, str]:
        return {word.casefold(): name for word, name in value.items()}  # as they are looked up

    @field_validator("style")
    @classmethod
    def _clean_style(cls, value: str) -> str:
        return clean_style(value)

    @field_validator("domains", mode="before")
    @classmethod
    def _clean_domains(cls, value: object) -> tuple[str, ...]:
        return clean_domains(value)


class DeliveryOptions(BaseModel):
    """Leases, attempts and the window."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    window: int = Field(8, ge=1, description="Maximum number of queued batches per queue.")
    lease_s: float = Field(90.0, gt=0, description="Duration of a claim without a heartbeat.")
    heartbeat_s: float = Field(10.0, gt=0, description="Interval of the heartbeat.")
    stale_s: float = Field(
        10.0, gt=0, description="A message not in the broker may still be on its way for this long."
    )
    max_attempts: int = Field(
        3,
        ge=1,
        description="Attempts per item before quarantine; at least 2 if an attempt ends without "
        "an error, as when its worker dies.",
    )
    max_backoff_s: float = Field(60.0, ge=0, description="Longest wait after a transient failure.")
    visibility_timeout_s: int = Field(21_600, ge=60, description="Redis: longer than any step.")
    time_limit_s: int = Field(
        3_600,
        ge=10,
        description="Maximum duration of one claim of a step: its pass is stopped 30 s before (a "
        "quarter before, if that is less), and its process is killed at the end. Workers of served "
        "models alone run steps in threads, which cannot be stopped: there each request has its "
        "own `timeout_s`, and the step's lease ends with this time.",
    )


class RunOptions(BaseModel):
    """The part of a run's stored settings that the steps read."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    chain: ChainOptions = ChainOptions()
    thresholds: FilterThresholds = FilterThresholds()


_validated: WeakKeyDictionary["Run", tuple[dict[str, Any], RunOptions]] = WeakKeyDictionary()


def run_options(run: "Run") -> RunOptions:
    """Return the options of a run, from its frozen profile.

    They are validated once for a `Run` in memory, so once for an execution of a step, which keeps
    its run; a thousand items ask for them.
    """
    profile, options = _validated.get(run, (None, None))
    if options is None or profile is not run.profile:
        options = RunOptions.model_validate(run.profile)
        _validated[run] = run.profile, options
    return options
