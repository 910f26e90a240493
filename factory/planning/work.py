"""Work of a run: how many items each step gets, at most and as expected."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, prod

from chatgenimage.db.states import Origin
from chatgenimage.factory.submission.domains import LabelPlan, plan_label
from chatgenimage.factory.submission.labels import LabelRequest
from chatgenimage.factory.submission.quotas import split_over_domains
from chatgenimage.tasks.chain import QUEUES, plan_chain
from chatgenimage.tasks.options import ChainOptions

Shares = Mapping[str, float]
"""Share of the candidates that are accepted, in [0, 1], by origin."""
ALL: Shares = dict.fromkeys(Origin, 1.0)
STEPS = tuple(QUEUES)
QUESTION_OF_STEP = {"imagine": "scenes", "place": "placements"}


@dataclass(frozen=True, slots=True)
class PlannedItems:
    """Items of one step in a whole run.

    Attributes:
        items: Number that is expected.
        most: Number if everything is accepted, and with a quota the maximum of images.
        passes: How often a diffusion model paints for them, as expected; 0: it does not paint.
        most_passes: The same at most.
    """

    step: str
    items: float
    most: float
    passes: float
    most_passes: float


def plan_work(
    requests: Sequence[LabelRequest], chain: ChainOptions, shares: Shares
) -> list[PlannedItems]:
    """Return the work of each step that the run has, in the order of a chain."""
    items = _add(_label_items(request, chain, shares, at_most=False) for request in requests)
    most = _add(_label_items(request, chain, ALL, at_most=True) for request in requests)
    times = _passes_per_item(chain)
    return [
        PlannedItems(
            step, items[step], most[step], items[step] * times[step], most[step] * times[step]
        )
        for step in STEPS
        if most[step]
    ]


def count_questions(work: Iterable[PlannedItems], labels: int) -> dict[str, float]:
    """Return how often the language model is asked, as expected, by kind of question."""
    items = {each.step: each.items for each in work}
    asked = {"features": float(labels), "prompts": items.get("brainstorm", 0.0)}
    return asked | {
        question: items[step] for step, question in QUESTION_OF_STEP.items() if items.get(step)
    }


def mean_pixels(
    requests: Iterable[LabelRequest], chain: ChainOptions, usual_wh: tuple[int, int]
) -> float:
    """Return the mean number of pixels of the first images of all labels.

    Args:
        requests: The labels.
        chain: Options of the run, with the sizes that labels ask for.
        usual_wh: Size of the other images, pixels.
    """
    images = {one.label: plan_label(one, chain).images for one in requests}
    pixels = sum(
        number * prod(chain.sizes.get(label, usual_wh)) for label, number in images.items()
    )
    return pixels / sum(images.values())


def _label_items(
    request: LabelRequest, chain: ChainOptions, shares: Shares, *, at_most: bool
) -> dict[str, float]:
    plan = plan_label(request, chain)
    images = _images(plan, request, chain, shares, at_most=at_most)
    batches = len(list(split_over_domains(images, plan.domains, chain.batch_size)))
    return _items(images, batches, chain, request.mode or chain.mode, shares)


def _images(
    plan: LabelPlan, request: LabelRequest, chain: ChainOptions, shares: Shares, *, at_most: bool
) -> int:
    """Return how many images are generated for a label, quota included."""
    if plan.quota is None or plan.max_images is None:
        return plan.images
    if at_most:
        return plan.max_images
    sample = _items(1.0, 1, chain, request.mode or chain.mode, shares)
    accepted = sum(
        sample[step] * shares.get(origin, 1.0)
        for step, origin in (
            ("generate", Origin.GENERATED),
            ("edit", Origin.EDITED),
            ("fill", Origin.FILLED),
        )
    )
    needed = ceil(plan.quota / accepted) if accepted else plan.max_images
    return min(plan.max_images, max(plan.images, needed))


def _items(
    images: float, batches: int, chain: ChainOptions, mode: str, shares: Shares
) -> dict[str, float]:
    """Return the items of each step for so many images; an edit that is rejected is not filled."""
    items = dict.fromkeys(STEPS, 0.0)
    items |= {"brainstorm": batches, "generate": images, "label": images, "filter": images}
    fills_too = any(link.name == "fill" for link in plan_chain(chain, mode))
    parents = images * shares.get(Origin.GENERATED, 1.0)
    for _ in range(chain.rounds):
        edits = parents * chain.scenes_per_candidate
        kept = edits * shares.get(Origin.EDITED, 1.0)
        placed = kept if fills_too else 0.0
        fills = placed * chain.placements_per_candidate
        for step, more in (
            ("imagine", parents),
            ("edit", edits),
            ("label", edits + fills),
            ("place", placed),
            ("fill", fills),
            ("filter", edits + fills),
        ):
            items[step] += more
        parents = kept + fills * shares.get(Origin.FILLED, 1.0)
    return items


def _passes_per_item(chain: ChainOptions) -> dict[str, int]:
    passes = dict.fromkeys(STEPS, 0)
    return passes | {"generate": 1, "edit": 1, "fill": chain.fill_predictions}


def _add(several: Iterable[Mapping[str, float]]) -> dict[str, float]:
    total = dict.fromkeys(STEPS, 0.0)
    for items in several:
        for step, number in items.items():
            total[step] += number
    return total
