"""Questions about images to a server: captions, boxes and judgements of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from chatgenimage.db.run_times import MeanTokens
from chatgenimage.factory.planning.work import PlannedItems
from chatgenimage.factory.settings.model import Settings
from chatgenimage.workers.server_config import OpenAiVisionConfig

MILLION = 1_000_000
BOXES = 3
"""Assumed objects on an image; the check `boxes` asks about each."""
ASKED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "captioning": ("label", "caption"),
        "detection": ("label", "boxes"),
        "judging": ("filter", "judgement"),
    }
)
"""Step and kind of question by the key of a family."""
ASSUMED: Mapping[str, MeanTokens] = MappingProxyType(
    {
        "caption": MeanTokens(1100, 60, 0),
        "boxes": MeanTokens(1200, 120, 0),
        "judgement": MeanTokens(1050, 5, 0),
    }
)
"""Tokens of a question with an image of a megapixel: services count one as about a thousand."""


@dataclass(frozen=True, slots=True)
class SeeingPlan:
    """Questions about images, which a server counts in tokens.

    Attributes:
        questions: Number by kind.
        cost: In the currency of the prices; None: no price is set.
        source: "measured" or "assumed".
    """

    questions: Mapping[str, float]
    cost: float | None
    source: str


def plan_seeing(
    settings: Settings, work: Sequence[PlannedItems], known: Mapping[str, MeanTokens]
) -> SeeingPlan | None:
    """Return the questions about images and their cost; None if no server is asked.

    Args:
        settings: Which families are servers, and their prices.
        work: The planned items of each step.
        known: Mean tokens of earlier questions, by kind.
    """
    questions: dict[str, float] = {}
    cost = 0.0
    for key, (step, kind) in ASKED.items():
        config = settings.families.get(key)
        if not isinstance(config, OpenAiVisionConfig):
            continue
        per_image = _checks(settings) if key == "judging" else 1
        questions[kind] = per_image * sum(each.items for each in work if each.step == step)
        tokens = known.get(kind) or ASSUMED[kind]
        price = tokens.sent * config.prompt_price + tokens.received * config.completion_price
        cost += questions[kind] * price / MILLION
    if not questions:
        return None
    source = "measured" if all(kind in known for kind in questions) else "assumed"
    return SeeingPlan(questions, cost or None, source)


def _checks(settings: Settings) -> int:
    """Return how many questions the judge is asked about an image, at most."""
    return sum(BOXES if check == "boxes" else 1 for check in settings.chain.visual_checks)
