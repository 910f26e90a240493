"""View of a plan for the terminal: a table of the steps, then a line for each other need."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table

from chatgenimage.factory.checkpoints.inventory import WeightsLocation
from chatgenimage.factory.planning.plan import RunPlan, StepPlan
from chatgenimage.factory.planning.preview import total_cost, total_images, total_questions
from chatgenimage.factory.planning.searching import SearchPlan
from chatgenimage.factory.planning.seeing import SeeingPlan
from chatgenimage.factory.planning.work import PlannedItems
from chatgenimage.factory.settings.model import Settings
from chatgenimage.factory.wording import counted
from chatgenimage.tasks.chain import QUEUES

GIGABYTE = 10**9
SHOWN_CLASSES = 5
WORDS = {
    "brainstorm": "lists of prompts",
    "generate": "first images",
    "label": "images to label",
    "imagine": "images to vary",
    "edit": "edited images",
    "place": "images to add objects to",
    "fill": "filled images",
    "filter": "images to judge",
}


def show_plan(
    settings: Settings, plan: RunPlan, preview: RunPlan | None = None
) -> Iterator[RenderableType]:
    """Yield the parts of a plan, and of its preview, in order: tables, and lines of text."""
    labels = counted(plan.labels, "label")
    yield f"{labels} with the profile {settings.profile}; nothing is submitted."
    yield _steps_table(plan)
    yield _passes(plan)
    yield _shares(plan)
    yield _language(plan)
    if plan.image_cost is not None:
        yield f"Images: cost about {plan.image_cost:.2f}."
    if plan.seeing is not None:
        yield _seeing(plan.seeing)
    if plan.search is not None:
        yield _search(plan.search)
    yield _downloads(plan)
    yield _memory(plan)
    yield _time(plan)
    if preview is not None and preview.steps != plan.steps:
        yield _preview(preview)


def _seeing(plan: SeeingPlan) -> str:
    kinds = ", ".join(f"{number:,.0f} for a {kind}" for kind, number in plan.questions.items())
    cost = "no price is set" if plan.cost is None else f"cost about {plan.cost:.2f}"
    return f"Questions about images: {kinds}; {cost} (tokens: {plan.source})."


def _search(plan: SearchPlan) -> str:
    phrases = counted(plan.phrases, "phrase")
    classes = f"{counted(plan.classes, 'class', 'classes')} of the run ({phrases})"
    passes = "the detector takes them in one pass"
    if plan.passes is not None:
        number = f"about {plan.passes} passes of the detector"
        passes = f"{number} for an image instead of {plan.usual_passes}"
    text = f"Search on every image: {classes}; {passes}."
    if plan.only_own:
        names = ", ".join(plan.only_own[:SHOWN_CLASSES])
        more = len(plan.only_own) - SHOWN_CLASSES
        rest = f" and {more} more" if more > 0 else ""
        text += f" Only on their own images, because others share their phrases: {names}{rest}."
    return text


def _steps_table(plan: RunPlan) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("step")
    table.add_column("makes")
    for name in ("expected", "at most", "seconds each", "in all"):
        table.add_column(name, justify="right")
    table.add_column("times are")
    for step in plan.steps:
        table.add_row(
            step.work.step,
            _makes(step.work),
            f"{step.work.items:,.0f}",
            f"{step.work.most:,.0f}",
            "-" if step.item_s is None else f"{step.item_s:.2f}",
            _hours(step),
            step.source,
        )
    return table


def _makes(work: PlannedItems) -> str:
    return WORDS.get(work.step, work.step)


def _hours(step: StepPlan) -> str:
    return "-" if step.hours is None else _duration(step.hours)


def _passes(plan: RunPlan) -> str:
    passes = sum(step.work.passes for step in plan.steps)
    most = sum(step.work.most_passes for step in plan.steps)
    return (
        f"Diffusion passes: {passes:,.0f} expected, at most {most:,.0f} "
        f"({most / plan.labels:,.0f} per label)."
    )


def _shares(plan: RunPlan) -> str:
    shares = ", ".join(f"{origin} {share:.0%}" for origin, share in sorted(plan.shares.items()))
    return f"Accepted shares for the expected numbers, {plan.shares_source}: {shares}."


def _language(plan: RunPlan) -> str:
    language = plan.language
    if language is None:
        return "Language model: a rule book of this package; no tokens, no cost."
    asked = sum(language.questions.values())
    cost = (
        "cost not known: no price is set"
        if language.cost is None
        else f"cost about {language.cost:.2f}"
    )
    return (
        f"Language model: {asked:,.0f} questions, {language.sent:,.0f} tokens sent and "
        f"{language.received:,.0f} received ({language.source}); {cost}."
    )


def _downloads(plan: RunPlan) -> str:
    present = sum(
        need.place in {WeightsLocation.HERE, WeightsLocation.BUNDLED} for need in plan.models
    )
    if not plan.downloads:
        return f"Downloads: none; {present} models are here."
    sizes = ", ".join(f"{need.key} {_gigabytes(need.download_bytes)}" for need in plan.downloads)
    total = sum(need.download_bytes or 0 for need in plan.downloads)
    return f"Downloads: {_gigabytes(total)} ({sizes}); {present} models are here."


def _memory(plan: RunPlan) -> str:
    alone = ", ".join(
        f"{one.role} {_gigabytes(one.needed_bytes)}" for one in plan.memory if one.needed_bytes
    )
    needs = (
        f"Memory (models and one image, calculated): {_gigabytes(plan.together_bytes)} in one "
        f"worker for all roles; in a worker for each: {alone or 'none'}."
    )
    if plan.device_bytes is None:
        return f"{needs} The device {plan.device} is not on this machine."
    available = f"{plan.device} has {_gigabytes(plan.device_bytes)}"
    if plan.together_bytes <= plan.device_bytes:
        return f"{needs} {available}: enough."
    short = [one.role for one in plan.memory if one.needed_bytes > plan.device_bytes]
    problem = f"too little for {', '.join(short)}" if short else "too little for one worker for all"
    return f"{needs} {available}: {problem}."


def _time(plan: RunPlan) -> str:
    if plan.hours is not None:
        return f"Time of one worker process, one step after the other: {_duration(plan.hours)}."
    unknown = [step for step in plan.steps if step.hours is None]
    roles = ", ".join(dict.fromkeys(QUEUES[step.work.step] for step in unknown))
    return (
        f"Time: not known for {roles}; no run of these models was measured in this database, and "
        "nothing is assumed for a processor. Run one label first, or `factory models check`."
    )


def _preview(preview: RunPlan) -> str:
    """Return what the preview alone takes, in one line."""
    parts: list[str] = []
    if questions := total_questions(preview):
        parts.append(f"{questions:,.0f} questions")
    if (cost := total_cost(preview)) is not None:
        parts.append(f"cost about {cost:.2f}")
    hours = preview.hours
    parts.append("time not known" if hours is None else _duration(hours))
    number = total_images(preview)
    images = "1 first image" if number == 1 else f"{number:,.0f} first images"
    return f"Preview (--preview): {images} of these; {', '.join(parts)}; it asks before the rest."


def _duration(hours: float) -> str:
    if hours >= 1:
        return f"{hours:,.1f} h"
    return f"{60 * hours:.1f} min" if hours >= 1 / 60 else f"{3600 * hours:.1f} s"


def _gigabytes(size: int | None) -> str:
    return "?" if size is None else f"{size / GIGABYTE:.1f} GB"
