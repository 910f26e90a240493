"""Plan of a label: how many images and accepted images it gets, and in which domains."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from chatgenimage.factory.errors import BadLabels
from chatgenimage.factory.settings.model import Settings
from chatgenimage.factory.submission.label_files import NO_PLACES, shorten, with_place
from chatgenimage.factory.submission.labels import LabelRequest
from chatgenimage.factory.submission.quotas import is_reachable, reachable_instead
from chatgenimage.tasks.chain import most_candidates
from chatgenimage.tasks.options import ChainOptions
from chatgenimage.workers.config import RulesConfig
from chatgenimage.workers.errors import UnknownWord
from chatgenimage.workers.llm.rules import Rules

IMAGES_PER_ACCEPTED = 20
"""Default limit of generated images per requested accepted image."""


@dataclass(frozen=True, slots=True)
class LabelPlan:
    """The numbers of a label, from its own options and those of the run.

    Attributes:
        images: Number of images; with a quota, the first ones.
        quota: Number of accepted candidates to reach; None without a quota.
        max_images: Most images for the quota; None without a quota.
        domains: Domains among which all three are divided evenly; may be empty.
    """

    images: int
    quota: int | None
    max_images: int | None
    domains: tuple[str, ...]


def plan_label(
    request: LabelRequest, chain: ChainOptions, places: Mapping[str, str] = NO_PLACES
) -> LabelPlan:
    """Return the plan of a label; `places` has where each was read, for the error.

    Raises:
        BadLabels: If there are more domains than one of the numbers to divide.
    """
    images = request.per_label or chain.per_label
    quota = request.accepted or chain.accepted
    most = request.max_images or chain.max_images or IMAGES_PER_ACCEPTED * (quota or 0)
    plan = LabelPlan(
        min(images, most) if quota else images,
        quota,
        most if quota else None,
        request.domains or chain.domains,
    )
    if problem := _find_problem(request, plan):
        raise BadLabels([with_place(problem, request.label, places)])
    return plan


def check_domains(
    settings: Settings, requests: Sequence[LabelRequest], places: Mapping[str, str] = NO_PLACES
) -> None:
    """Check the numbers and domains of all labels before anything is written.

    Args:
        settings: The profile.
        requests: The labels.
        places: Where they were read, by label.

    Raises:
        BadLabels: If a maximum of images has no quota that it limits, if a quota cannot be reached
            with its maximum of images, if a label has more domains than images, or if the profile's
            rule book does not know a domain; with all problems.
    """
    problems: dict[str, None] = {}
    quotas = [settings.chain.accepted, *(request.accepted for request in requests)]
    if settings.chain.max_images and not any(quotas):
        problems[
            "--max-images limits what is made for --accepted, and no number of accepted images is "
            "asked for; add --accepted, or use --per-label."
        ] = None
    for request in requests:
        if request.max_images and not (request.accepted or settings.chain.accepted):
            problem = (
                f"label {shorten(request.label)}: `max_images` limits what is made for `accepted`, "
                "and no number of accepted images is asked for; add it, or set `per_label`."
            )
            problems[with_place(problem, request.label, places)] = None
        try:
            _check(settings, request, places)
        except BadLabels as error:
            problems |= dict.fromkeys(error.problems)
            continue
        if unreachable := _find_unreachable(request, settings.chain, places):
            problems[unreachable] = None
    if problems:
        raise BadLabels(list(problems))


def _check(settings: Settings, request: LabelRequest, places: Mapping[str, str]) -> None:
    """Raise BadLabels if a label's numbers or domains cannot be used."""
    planned = plan_label(request, settings.chain, places)
    try:
        words_of(settings, planned.domains)
    except BadLabels as error:
        own = places if request.domains else NO_PLACES  # the run's domains are not a line of a file
        located = [with_place(problem, request.label, own) for problem in error.problems]
        raise BadLabels(located) from None


def words_of(settings: Settings, domains: Sequence[str]) -> dict[str, str]:
    """Return the words that the similarity model sees each domain by, in order.

    They are the domain itself, except with a rule book: its models know its own words only.

    Raises:
        BadLabels: If the profile's rule book does not know a domain.
    """
    config = settings.families.get("language")
    if not isinstance(config, RulesConfig):
        return {domain: domain for domain in domains}
    try:
        return {domain: _place_of(config, domain) for domain in domains}
    except UnknownWord as error:
        raise BadLabels([str(error)]) from None


@cache
def _place_of(config: RulesConfig, domain: str) -> str:
    return Rules.load(config).place_of(domain)


def _find_problem(request: LabelRequest, plan: LabelPlan) -> str | None:
    """Return why the numbers cannot be divided among the domains; None: they can."""
    count = len(plan.domains)
    numbers = {"max_images": plan.max_images, "accepted": plan.quota, "per_label": plan.images}
    for column, number in numbers.items():
        if number is not None and number < count:
            return (
                f"label {shorten(request.label)}: {number} cannot be divided among {count} "
                f"domains; expected {_option(request, column)} {count} or more, or fewer domains."
            )
    return None


def _find_unreachable(
    request: LabelRequest, chain: ChainOptions, places: Mapping[str, str]
) -> str | None:
    """Return why the quota is never reached, even if everything is accepted; None: it can be."""
    plan = plan_label(request, chain)
    if plan.quota is None or plan.max_images is None:
        return None
    per_image = most_candidates(chain, request.mode or chain.mode)
    numbers = plan.quota, plan.max_images, per_image, len(plan.domains)
    if is_reachable(*numbers):
        return None
    accepted, most = _option(request, "accepted"), _option(request, "max_images")
    instead, images = reachable_instead(*numbers)
    reason = "there are no edits or fills"
    if per_image > 1:
        reason = f"an image gives at most {per_image} (itself, its edits and fills)"
    problem = (
        f"{accepted} {plan.quota} cannot be reached with {most} {plan.max_images}: {reason}; "
        f"expected {most} {images} or more, or {accepted} {instead} or less."
    )
    if request.accepted is None and request.max_images is None:
        return problem
    return with_place(f"label {shorten(request.label)}: {problem}", request.label, places)


def _option(request: LabelRequest, column: str) -> str:
    """Return how a number is asked for: the column of the label, or the option of the run."""
    is_own = getattr(request, column) is not None
    return f"`{column}`" if is_own else f"--{column.replace('_', '-')}"
