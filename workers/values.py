"""Values: inputs and outputs of models, without database ids.

Coordinates are pixels of the image, origin top left, the maximum side exclusive.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")

RgbImage: TypeAlias = NDArray[np.uint8]
"""(H, W, 3) uint8 RGB."""

Mask: TypeAlias = NDArray[np.bool_]
"""(H, W) bool, True on the object; as a fill mask, True is repainted."""

BoxXyxy: TypeAlias = tuple[float, float, float, float]
"""(x_min, y_min, x_max, y_max) in pixels."""

Embeddings: TypeAlias = NDArray[np.float32]
"""(N, D) float32, each row of unit length."""


@dataclass(frozen=True, slots=True)
class ImageOptions:
    """Options of one image that is generated; None: the generator's own setting applies.

    Attributes:
        size_wh: Width and height in pixels.
        negative_prompt: Content that the image should not show; replaces the generator's.
    """

    size_wh: tuple[int, int] | None = None
    negative_prompt: str | None = None


NO_OPTIONS = ImageOptions()


@dataclass(frozen=True, slots=True)
class LogitScale:
    """The part of an encoder of images and texts that turns a cosine into a logit.

    Attributes:
        scale: The logit is this times the cosine; above 0.
        bias: Added to the logit before a sigmoid (SigLIP); None: trained with a softmax (CLIP).
    """

    scale: float
    bias: float | None = None


@dataclass(frozen=True, slots=True)
class Detection:
    """One detected object.

    Attributes:
        label: One of the requested labels, never free text.
        confidence: In [0, 1].
        box_xyxy: Pixels, float.
    """

    label: str
    confidence: float
    box_xyxy: BoxXyxy


@dataclass(frozen=True, slots=True)
class ImaginedScene:
    """A scene that the language model imagines for a candidate (Table 1, Scene Imagination).

    Attributes:
        background: A word or phrase that can follow "change the background to", e.g. "a beach".
        objects: Names of the objects in the scene: existing ones first, then new ones.
        description: One sentence that contains the above.
    """

    background: str
    objects: tuple[str, ...]
    description: str


@dataclass(frozen=True, slots=True)
class ProposedObject:
    """An object the language model proposes to add (Table 1, Box Candidates Generation).

    Attributes:
        label: The object's name.
        box_xyxy: In pixels of the image.
        relationship: Relation to the other objects, e.g. "sitting next to the dog" or "on a
            beach"; "a {label} {relationship}" is a valid prompt.
    """

    label: str
    box_xyxy: BoxXyxy
    relationship: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request to a language model and its answer, for the ledger.

    Attributes:
        question: Kind of request: "features", "prompts", "scenes" or "placements".
        model: The model that answered, e.g. "gpt-6-luna" or "rules".
        messages: The chat messages that were sent.
        answer: The text of the answer, without the model's thoughts.
        prompt_tokens: As counted by the server, None if it did not; 0 for a rule book.
        completion_tokens: As counted by the server, None if it did not; 0 for a rule book.
        duration_s: Wall-clock seconds.
        problem: Why the answer was refused; None if it was used.
        request_key: Hash of the request that started the conversation; None for a rule book.
        is_reused: Whether the answer came from the cache.
        cost: In the currency of the profile's prices; tokens that were not counted cost 0.
        thoughts: The model's reasoning before its answer; None if the server sent none.
    """

    question: str
    model: str
    messages: tuple[dict[str, str], ...]
    answer: str
    prompt_tokens: int | None = 0
    completion_tokens: int | None = 0
    duration_s: float = 0.0
    problem: str | None = None
    request_key: str | None = None
    is_reused: bool = False
    cost: float = 0.0
    thoughts: str | None = None


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """A parsed answer and the exchanges that produced it (more than one after a repair)."""

    value: T
    exchanges: tuple[Exchange, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Identity of the exact weights that made something.

    Attributes:
        family: Registry name, e.g. "stable_diffusion".
        checkpoint: Name of the checkpoint in the profile.
        revision: Hash of the weights or hub commit: equal revisions mean equal weights.
        settings: The parameters that affect its output (steps, guidance), JSON-serialisable.
        licence: As its model card says; None: not known.
    """

    family: str
    checkpoint: str
    revision: str
    settings: dict[str, Any] = field(default_factory=dict)
    licence: str | None = None

    def to_record(self) -> dict[str, Any]:
        """Return it as stored with what the model made; an unknown licence is left out."""
        record = asdict(self)
        return record if self.licence else {k: v for k, v in record.items() if k != "licence"}
