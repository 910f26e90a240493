"""The only place that says which step follows which (Algorithm 1), and where each one runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from celery import Celery, chain

from chatgenimage.tasks.options import ChainOptions

QUEUES = {
    "brainstorm": "language",
    "generate": "diffusion",
    "label": "labeling",
    "imagine": "language",
    "edit": "editing",
    "place": "language",
    "fill": "diffusion",
    "filter": "scoring",
}
"""Task name to queue; a queue bears its role's name."""
QUEUE_NAMES = tuple(dict.fromkeys(QUEUES.values()))
"""Every queue; a chain opens in the first."""

OPENINGS = {
    "prompts": ("brainstorm", "generate", "label", "filter"),
    "pictures": ("label", "filter"),
}
"""What makes the initial images and judges them; a person's pictures are there already."""
EDITING = ("imagine", "edit", "label")
FILLING = ("place", "fill", "label")


@dataclass(frozen=True, slots=True)
class Link:
    """One step of a chain; round 0 makes the initial images."""

    name: str
    round: int

    @property
    def queue(self) -> str:
        """Return the queue that serves the step."""
        return QUEUES[self.name]


def plan_chain(options: ChainOptions, mode: str) -> tuple[Link, ...]:
    """Return the links of a batch's chain, in order.

    Object-centric runs leave out place and fill: the paper's second case shows one object. Initial
    images are filtered before any money is spent on varying them.
    """
    refinement = (*EDITING, *(FILLING if mode == "scene" else ()), "filter")
    links = [Link(name, 0) for name in OPENINGS[options.source]]
    for number in range(1, options.rounds + 1):
        links += [Link(name, number) for name in refinement]
    return tuple(links)


def ring(app: Celery, batch_id: int, names: Sequence[str], told: Sequence[str]) -> None:
    """Send a chain of doorbells: each link tells its queue to look at the batch.

    `told` says of each link what a person would call its work; Flower and the events show that
    instead of the batch's id.
    """
    links = (
        app.signature(name, args=(batch_id,), queue=QUEUES[name], immutable=True, argsrepr=words)
        for name, words in zip(names, told, strict=True)
    )
    chain(*links, app=app).apply_async()
