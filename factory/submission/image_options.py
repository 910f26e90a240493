"""Image options of labels: sizes of given proportions, and what the painter cannot do."""

from collections.abc import Iterator, Mapping, Sequence

from chatgenimage.factory.errors import BadLabels
from chatgenimage.factory.settings.model import Settings
from chatgenimage.factory.submission.label_files import NO_PLACES, shorten, with_place
from chatgenimage.factory.submission.labels import LabelRequest
from chatgenimage.tasks.chain import QUEUES
from chatgenimage.tasks.resources import KEYS
from chatgenimage.workers.config import FamilyConfig
from chatgenimage.workers.errors import UnfitOptions
from chatgenimage.workers.families import find_plugin
from chatgenimage.workers.image_options import find_problem, size_of_aspect
from chatgenimage.workers.interfaces import ImageGenerator
from chatgenimage.workers.painter_config import GeneratorConfig
from chatgenimage.workers.painters.option_limits import limits_of
from chatgenimage.workers.server_config import OpenAiImagesConfig
from chatgenimage.workers.values import NO_OPTIONS, ImageOptions


def sizes_of(
    settings: Settings, requests: Sequence[LabelRequest], places: Mapping[str, str] = NO_PLACES
) -> dict[str, tuple[int, int]]:
    """Return the size of the first images of each label that asks for one, pixels.

    Args:
        settings: The profile.
        requests: The labels.
        places: Where they were read, by label.

    Raises:
        BadLabels: If a label asks for a proportion, and the painter's size is not known.
    """
    sizes: dict[str, tuple[int, int]] = {}
    problems: list[str] = []
    for request in requests:
        try:
            size = _size_of(settings, request)
        except UnfitOptions as error:
            problems.append(_describe(request.label, str(error), places))
        else:
            sizes |= {request.label: size} if size else {}
    if problems:
        raise BadLabels(problems)
    return sizes


def refuse_unfit_options(
    settings: Settings, labels: Sequence[str], places: Mapping[str, str] = NO_PLACES
) -> None:
    """Check that the profile's painter can follow the options of each label.

    Args:
        settings: With the options of the labels in their chain.
        labels: The classes asked for.
        places: Where they were read, by label.

    Raises:
        BadLabels: With all problems.
    """
    problems = list(_list_problems(settings, labels, places))
    if problems:
        raise BadLabels(problems)


def _list_problems(
    settings: Settings, labels: Sequence[str], places: Mapping[str, str]
) -> Iterator[str]:
    """Yield which sizes and negative prompts of labels the painter cannot follow, and why."""
    asked = {label: settings.chain.image_options(label) for label in labels}
    painter = _find_painter(settings)
    if painter is None or not any(each != NO_OPTIONS for each in asked.values()):
        return
    limits = limits_of(painter)
    for label, options in asked.items():
        alone = ImageOptions(options.size_wh), ImageOptions(None, options.negative_prompt)
        for each in alone:
            if problem := find_problem(limits, each):
                yield _describe(label, problem, places)


def _size_of(settings: Settings, request: LabelRequest) -> tuple[int, int] | None:
    painter = _find_painter(settings)
    if request.aspect is None or painter is None:
        return request.size_wh
    return size_of_aspect(limits_of(painter), request.aspect)


def _describe(label: str, problem: str, places: Mapping[str, str]) -> str:
    return with_place(f"label {shorten(label)}: {problem}.", label, places)


def _find_painter(settings: Settings) -> FamilyConfig | None:
    """Return the settings of the family that generates; None: the profile has none."""
    loaded = settings.roles.get(QUEUES["generate"], ())
    for key in (KEYS[ImageGenerator], *loaded):
        config = settings.families.get(key)
        if isinstance(config, GeneratorConfig | OpenAiImagesConfig):
            return config
        if config is not None and find_plugin(config):
            return config
    return None
