"""Order of the steps (Algorithm 1) and their queues; defined only here."""

from collections.abc import Sequence
from dataclasses import dataclass

from celery import Celery, chain

from chatgenimage.db.states import PAID_QUEUE
from chatgenimage.tasks.options import ChainOptions

QUEUES = {
    "brainstorm": PAID_QUEUE,
    "generate": "diffusion",
    "label": "labeling",
    "imagine": PAID_QUEUE,
    "edit": "editing",
    "place": PAID_QUEUE,
    "fill": "diffusion",
    "filter": "scoring",
}
"""Queue of each task; a queue has the name of its role."""
QUEUE_NAMES = tuple(dict.fromkeys(QUEUES.values()))
"""All queues; a chain starts in the first."""

OPENINGS = {
    "prompts": ("brainstorm", "generate", "label", "filter"),
    "pictures": ("label", "filter"),
}
"""Steps that make and filter the initial images; imported images skip the first ones."""
EDITING = ("imagine", "edit", "label")
FILLING = ("place", "fill", "label")


@dataclass(frozen=True, slots=True)
class ChainStep:
    """One step of a chain; round 0 makes the initial images."""

    name: str
    round: int

    @property
    def queue(self) -> str:
        """Return the queue that serves the step."""
        return QUEUES[self.name]


def plan_chain(options: ChainOptions, mode: str) -> tuple[ChainStep, ...]:
    """Return the links of a batch's chain, in order.

    Object-centric runs have no place and fill steps: the paper's second case shows one object.
    Initial images are filtered first, so that no time is spent on variations of bad ones.
    """
    refinement = (*EDITING, *(FILLING if mode == "scene" else ()), "filter")
    links = [ChainStep(name, 0) for name in OPENINGS[options.source]]
    for number in range(1, options.rounds + 1):
        links += [ChainStep(name, number) for name in refinement]
    return tuple(links)


def most_candidates(options: ChainOptions, mode: str) -> int:
    """Return how many candidates a first image gives at most: itself, its edits and their fills."""
    fills = options.placements_per_candidate if mode == "scene" else 0
    per_parent = options.scenes_per_candidate * (1 + fills)
    return sum(per_parent**number for number in range(options.rounds + 1))


def ring(app: Celery, batch_id: int, names: Sequence[str], descriptions: Sequence[str]) -> None:
    """Send a chain of messages ("doorbells"): each asks one queue to look at the batch.

    Each of `descriptions` is the work of a link, for people; Flower and the events show it instead
    of the batch's id.
    """
    links = (
        app.signature(name, args=(batch_id,), queue=QUEUES[name], immutable=True, argsrepr=words)
        for name, words in zip(names, descriptions, strict=True)
    )
    chain(*links, app=app).apply_async()
