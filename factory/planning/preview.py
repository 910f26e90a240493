"""Preview of a run as a run of its own: one image of each label, without edits and fills."""

from collections.abc import Sequence
from dataclasses import replace

from chatgenimage.factory.planning.plan import RunPlan, plan_run
from chatgenimage.factory.settings.model import Settings
from chatgenimage.factory.submission.labels import LabelRequest

ONLY_FIRST = {"per_label": 1, "rounds": 0, "accepted": None, "max_images": None, "domains": ()}
"""Options of a chain that makes the first image of a label."""


def plan_preview(settings: Settings, requests: Sequence[LabelRequest]) -> RunPlan:
    """Return the plan of what `factory run --preview` makes before it asks."""
    chain = settings.chain.model_copy(update=ONLY_FIRST)
    first = [
        replace(request, per_label=1, accepted=None, max_images=None, domains=None)
        for request in requests
    ]
    return plan_run(settings.model_copy(update={"chain": chain}), first)


def total_images(plan: RunPlan) -> float:
    """Return how many first images are expected."""
    return sum(step.work.items for step in plan.steps if step.work.step == "generate")


def total_questions(plan: RunPlan) -> float:
    """Return how many questions the language model and servers that see get, as expected."""
    asked = (part.questions for part in (plan.language, plan.seeing) if part is not None)
    return sum(number for questions in asked for number in questions.values())


def total_cost(plan: RunPlan) -> float | None:
    """Return the cost of the language model, the images and the questions about them."""
    costs = (
        plan.image_cost,
        *(part.cost for part in (plan.language, plan.seeing) if part is not None),
    )
    known = [cost for cost in costs if cost is not None]
    return sum(known) if known else None
