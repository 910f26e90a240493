"""Plan of a run: its work, and what that takes of money, downloads, memory and time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from chatgenimage.factory.checkpoints.inventory import (
    ModelRequirement,
    WeightsLocation,
    list_needs,
)
from chatgenimage.factory.checkpoints.memory import needed_bytes, needs_of
from chatgenimage.factory.checkpoints.smoke_test import image_size_wh
from chatgenimage.factory.checkpoints.trial_times import recall_trials
from chatgenimage.factory.local_workers import machine
from chatgenimage.factory.planning import assumed
from chatgenimage.factory.planning.checked import checked_seconds, detector_seconds
from chatgenimage.factory.planning.earlier_runs import EarlierRuns, average_earlier_runs
from chatgenimage.factory.planning.searching import SearchPlan, extra_passes, plan_search
from chatgenimage.factory.planning.seeing import SeeingPlan, plan_seeing
from chatgenimage.factory.planning.work import PlannedItems, count_questions, mean_pixels, plan_work
from chatgenimage.factory.settings.model import Settings
from chatgenimage.factory.submission.labels import LabelRequest
from chatgenimage.tasks.chain import QUEUES
from chatgenimage.tasks.resources import KEYS
from chatgenimage.workers.config import FamilyConfig
from chatgenimage.workers.device import pick_device, total_memory_bytes
from chatgenimage.workers.interfaces import BackgroundEditor, ImageGenerator, ObjectFiller
from chatgenimage.workers.server_config import OpenAiConfig, ServerConfig

MILLION = 1_000_000
PAINTER_KEYS = {
    "generate": (KEYS[ImageGenerator],),
    "edit": (KEYS[BackgroundEditor],),
    "fill": (KEYS[ObjectFiller], KEYS[ImageGenerator]),
}
"""Keys of the family that paints in a step; the first that a profile has."""


@dataclass(frozen=True, slots=True)
class StepPlan:
    """A step in numbers.

    Attributes:
        work: Its items and passes.
        item_s: Seconds of one item; None: not known.
        source: Where the seconds come from: "measured (N items)", "models check (1 item)",
            "assumed" or "not known".
    """

    work: PlannedItems
    item_s: float | None
    source: str

    @property
    def hours(self) -> float | None:
        """Return the computing time of the expected items."""
        return None if self.item_s is None else self.work.items * self.item_s / 3600


@dataclass(frozen=True, slots=True)
class LanguagePlan:
    """Questions to a language model that counts tokens.

    Attributes:
        questions: Number by kind.
        sent: Tokens of the questions.
        received: Tokens of the answers.
        cost: In the currency of the prices; None: no price is set.
        source: "measured" or "assumed".
    """

    questions: Mapping[str, float]
    sent: float
    received: float
    cost: float | None
    source: str


@dataclass(frozen=True, slots=True)
class RoleMemory:
    """Memory of a worker of one role on the device, for its models and one image (calculated).

    The image has the largest size that a label asks for.
    """

    role: str
    needed_bytes: int


@dataclass(frozen=True, slots=True)
class RunPlan:
    """Plan of a run.

    Attributes:
        shares: Accepted share by origin, and its source.
        language: None: the language model counts no tokens.
        image_cost: Price of the painted images; None: no price is set.
        seeing: Questions about images; None: no server is asked.
        search: The search for all classes of the run on each image; None: not asked for.
        downloads: Models that are not here yet.
        together_bytes: Memory of one worker for all roles.
        device: On which this machine would compute.
        device_bytes: Its memory; None: not known.
    """

    labels: int
    steps: tuple[StepPlan, ...]
    shares: Mapping[str, float]
    shares_source: str
    language: LanguagePlan | None
    image_cost: float | None
    seeing: SeeingPlan | None
    search: SearchPlan | None
    models: tuple[ModelRequirement, ...]
    memory: tuple[RoleMemory, ...]
    together_bytes: int
    device: str
    device_bytes: int | None

    @property
    def downloads(self) -> tuple[ModelRequirement, ...]:
        """Return the models that are not on this machine yet."""
        return tuple(need for need in self.models if need.place is WeightsLocation.ABSENT)

    @property
    def hours(self) -> float | None:
        """Return the computing time of one worker; None: a step's time is not known."""
        hours = [step.hours for step in self.steps]
        known = [each for each in hours if each is not None]
        return sum(known) if len(known) == len(hours) else None


def plan_run(settings: Settings, requests: Sequence[LabelRequest]) -> RunPlan:
    """Return the plan of a run; nothing is written, downloaded or asked."""
    device = pick_device(settings.device)
    has_device = not device.startswith("cuda") or machine.count_gpus(device) > 0
    trials = recall_trials(settings, has_device=has_device)
    known = replace(average_earlier_runs(settings), trials=trials)
    shares = {**assumed.SHARES, **known.shares}
    work = plan_work(requests, settings.chain, shares)
    needs = list_needs(settings)
    pixels = mean_pixels(requests, settings.chain, image_size_wh(settings))
    return RunPlan(
        labels=len(requests),
        steps=tuple(_step_plan(settings, each, known, device, pixels) for each in work),
        shares=shares,
        shares_source="measured" if known.shares else "assumed",
        language=_language_plan(settings, work, len(requests), known),
        image_cost=_image_cost(settings, work),
        seeing=plan_seeing(settings, work, known.tokens),
        search=plan_search(settings, [request.label for request in requests]),
        models=tuple(needs),
        memory=tuple(
            RoleMemory(role, needed_bytes(needs_of(needs, [role]))) for role in settings.roles
        ),
        together_bytes=needed_bytes(needs),
        device=device,
        device_bytes=_device_bytes(settings, device),
    )


def _step_plan(
    settings: Settings, work: PlannedItems, known: EarlierRuns, device: str, pixels: float
) -> StepPlan:
    """Return a step's time per item: measured, from `models check`, assumed, or not known."""
    if (found := known.times.get(work.step)) is not None:
        source = f"measured ({found.items} items)"
        if work.step == "label" and known.lacks_search:
            return _add_search(settings, StepPlan(work, found.seconds, source), known, device)
        return StepPlan(work, found.seconds, source)
    if (checked := checked_seconds(settings, work.step, known.trials)) is not None:
        return StepPlan(work, checked, "models check (1 item)")
    if _is_served(settings, work.step):
        return StepPlan(work, assumed.SERVED_IMAGE_S, "assumed")
    if device == "cpu":
        return StepPlan(work, None, "not known")
    painter = _painter(settings, work.step) if work.step in assumed.PAINTING else None
    seconds = assumed.item_seconds(work.step, painter, settings.chain, pixels)
    if work.step == "label":
        seconds += assumed.DETECTOR_PASS_S * extra_passes(settings)
    return StepPlan(work, seconds, "assumed")


def _add_search(settings: Settings, step: StepPlan, known: EarlierRuns, device: str) -> StepPlan:
    """Return the step `label` with the passes of the detector that its measured runs lacked."""
    extra = extra_passes(settings)
    if not extra or step.item_s is None:
        return step
    more = "1 detector pass" if extra == 1 else f"{extra} detector passes"
    pass_s, source = detector_seconds(settings, known.trials), "models check"
    if pass_s is None and device != "cpu":
        pass_s, source = assumed.DETECTOR_PASS_S, "assumed"
    if pass_s is None:
        return replace(step, source=f"{step.source} without {more} more")
    seconds = step.item_s + extra * pass_s
    return replace(step, item_s=seconds, source=f"{step.source} + {more} ({source})")


def _is_served(settings: Settings, step: str) -> bool:
    """Return whether a server paints in a step."""
    configs = [settings.families[key] for key in settings.roles.get(QUEUES[step], ())]
    return step in assumed.PAINTING and any(isinstance(one, ServerConfig) for one in configs)


def _painter(settings: Settings, step: str) -> FamilyConfig | None:
    """Return the diffusion model that paints in a step."""
    configs = [settings.families[key] for key in settings.roles.get(QUEUES[step], ())]
    return next((one for one in configs if hasattr(one, "num_inference_steps")), None)


def _language_plan(
    settings: Settings, work: Sequence[PlannedItems], labels: int, known: EarlierRuns
) -> LanguagePlan | None:
    """Return questions, tokens and cost of the language model; None if it is not a server."""
    config = settings.families.get("language")
    if not isinstance(config, OpenAiConfig):
        return None
    questions = count_questions(work, labels)
    tokens = {
        kind: known.tokens.get(kind) or assumed.question_tokens(kind, settings.chain)
        for kind in questions
    }
    sent = sum(number * tokens[kind].sent for kind, number in questions.items())
    received = sum(number * tokens[kind].received for kind, number in questions.items())
    cost = (sent * config.prompt_price + received * config.completion_price) / MILLION
    is_measured = all(kind in known.tokens for kind in questions)
    source = "measured" if is_measured else "assumed"
    return LanguagePlan(questions, sent, received, cost or None, source)


def _image_cost(settings: Settings, work: Sequence[PlannedItems]) -> float | None:
    """Return the price of the painted images, for models that are paid by image."""
    cost = 0.0
    for each in work:
        keys = PAINTER_KEYS.get(each.step, ())
        painter = next((settings.families[key] for key in keys if key in settings.families), None)
        cost += each.passes * getattr(painter, "price_per_image", 0.0)
    return cost or None


def _device_bytes(settings: Settings, device: str) -> int | None:
    if not device.startswith("cuda"):
        return machine.free_memory_bytes()
    if not machine.count_gpus(device):
        return None
    return int(settings.device_memory_share * total_memory_bytes(device))
