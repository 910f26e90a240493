"""What models take and give: plain values without ids.

Coordinates are pixels of the image at hand, origin top left, the maximum side exclusive.
"""

from dataclasses import dataclass, field
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
class Detection:
    """One object as a model claims it.

    Attributes:
        label: One of the labels that were asked for, never free text.
        confidence: In [0, 1].
        box_xyxy: Pixels, float.
    """

    label: str
    confidence: float
    box_xyxy: BoxXyxy


@dataclass(frozen=True, slots=True)
class Scene:
    """What the language model imagines around a candidate (Table 1, Scene Imagination).

    Attributes:
        background: A word or phrase that can follow "change the background to", e.g. "a beach".
        objects: Names of the objects in the scene: those that exist first, then new ones.
        description: One sentence that contains the above.
    """

    background: str
    objects: tuple[str, ...]
    description: str


@dataclass(frozen=True, slots=True)
class Placement:
    """An object the language model proposes to add (Table 1, Box Candidates Generation).

    Attributes:
        label: The object's name.
        box_xyxy: Where, in pixels of the image.
        relationship: How it stands to the rest, e.g. "sitting next to the dog" or "on a beach";
            "a {label} {relationship}" reads as a prompt.
    """

    label: str
    box_xyxy: BoxXyxy
    relationship: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question put to a language model and what came back, for the ledger.

    Attributes:
        question: Which of the four: "features", "prompts", "scenes" or "placements".
        model: The model that answered, e.g. "gpt-3.5-turbo" or "rules".
        messages: What was sent, as chat messages.
        answer: The raw text that came back.
        prompt_tokens: As the server counted them; 0 for a rule book.
        completion_tokens: As the server counted them; 0 for a rule book.
        duration_s: Wall-clock seconds.
        problem: Why the answer was refused; None if it was used.
        request_key: Hash of the request that opened the conversation; None for a rule book.
        is_reused: Whether the answer was remembered from an earlier conversation.
        cost: In the currency of the profile's prices.
    """

    question: str
    model: str
    messages: tuple[dict[str, str], ...]
    answer: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    duration_s: float = 0.0
    problem: str | None = None
    request_key: str | None = None
    is_reused: bool = False
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """A parsed answer and the exchanges that led to it (more than one after a repair)."""

    value: T
    exchanges: tuple[Exchange, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which exact weights made something.

    Attributes:
        family: Registry name, e.g. "stable_diffusion".
        checkpoint: As the profile names it.
        revision: Hash of the weights or of the hub commit: the same revision, the same weights.
        settings: The parameters that shape its output (steps, guidance), JSON-serialisable.
    """

    family: str
    checkpoint: str
    revision: str
    settings: dict[str, Any] = field(default_factory=dict)
