"""Steps before a run: check the labels, fetch the models, choose what pictures are searched for."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict  # of Python 3.12, as pydantic needs it

from chatgenimage.factory.doctor.readiness import prepare
from chatgenimage.factory.settings.model import Settings
from chatgenimage.factory.submission.class_phrases import Classes, read_classes
from chatgenimage.factory.submission.domains import check_domains
from chatgenimage.factory.submission.image_options import refuse_unfit_options
from chatgenimage.factory.submission.label_check import refuse_unknown_words, refuse_unreadable
from chatgenimage.factory.submission.label_files import NO_PLACES
from chatgenimage.factory.submission.labels import LabelList, read_labels
from chatgenimage.factory.submission.ontology import phrases_to_find, with_ontology
from chatgenimage.factory.submission.unused_names import list_unused_names
from chatgenimage.tasks.chain import plan_chain
from chatgenimage.workers.painter_config import GeneratorConfig


class ChainChoice(TypedDict, total=False):
    """Keywords for what of the profile's chain a call chooses; None leaves it as it is.

    per_label: Images generated per label; with `accepted`, at first.
    accepted: Generate more images of a label until so many are accepted.
    max_images: Most images generated per label for `accepted`.
    domains: Conditions or places among which the images of each label are divided.
    mode: "scene" or "object".
    rounds: Rounds of edit and fill.
    search_for: "label" or "run": look on each image for its label, or for all labels of the run.
    """

    per_label: int | None
    accepted: int | None
    max_images: int | None
    domains: str | Sequence[str] | None
    mode: str | None
    rounds: int | None
    search_for: str | None


def read_request(
    settings: Settings, words: Sequence[str], files: Sequence[str | Path]
) -> tuple[Settings, LabelList]:
    """Return the settings with the words of the labels, and the labels, checked against them.

    Raises:
        BadLabels: If a label or a file of labels cannot be used.
    """
    wanted = read_labels(words, files)
    labels = [one.label for one in wanted.requests]
    settings = with_ontology(settings, wanted.requests, wanted.places)
    refuse_unknown_words(settings, labels, wanted.places)
    refuse_unfit_options(settings, labels, wanted.places)
    check_domains(settings, wanted.requests, wanted.places)
    return settings, wanted


def prepare_run(
    settings: Settings,
    labels: Sequence[str],
    roles: Sequence[str] = (),
    places: Mapping[str, str] = NO_PLACES,
) -> list[str]:
    """Check this machine, download the models that it lacks, and check that they know the labels.

    Args:
        settings: Of the run.
        labels: What the detector must find.
        roles: Whose models this machine loads; none: all of the profile.
        places: Where the labels were read, by label.

    Returns:
        Warnings, a sentence each.

    Raises:
        NotReady: With everything that is missing on this machine; nothing was downloaded.
        CheckpointNotFound: If a checkpoint is missing and cannot be downloaded.
        BadLabels: If the detector cannot read a label, or the painter cannot paint its options.
    """
    warnings = prepare(settings, list(roles or settings.roles))
    refuse_unreadable(settings, labels, places)
    refuse_unfit_options(settings, labels, places)  # again: the checkpoint says more
    return [*list_unused_names(settings.chain, labels), *warnings]


def read_picture_classes(words: Sequence[str] | None, files: Sequence[Path]) -> Classes | None:
    """Return the classes to look for in pictures; None: the nouns of each caption.

    Raises:
        BadLabels: If a label is not valid.
    """
    if words is None and not files:
        return None
    return read_classes(words or [], files)


def refuse_unknown_phrases(settings: Settings, classes: Classes | None) -> Mapping[str, str]:
    """Check what is looked for in pictures against the rule book; return where it was read.

    Raises:
        BadLabels: If the profile's rule book does not know a word.
    """
    if classes is None:
        return NO_PLACES
    found = list(phrases_to_find(settings, settings.chain.class_list))
    places = {phrase: classes.places.get(phrase, classes.places[name]) for name, phrase in found}
    refuse_unknown_words(settings, [phrase for _, phrase in found], places)
    return classes.places


def picture_chain(
    classes: Classes | None, longest_side_px: int | None, *, vary: bool
) -> Mapping[str, Any]:
    """Return the options of a chain that starts with pictures and looks for the classes."""
    return {
        "source": "pictures",
        "longest_side_px": longest_side_px,
        "rounds": None if vary else 0,
        "class_list": classes.names if classes else (),
        "phrases": classes.phrases if classes else {},
        "caption_nouns": classes is None,
    }


def picture_roles(settings: Settings) -> list[str]:
    """Return the roles that the chain needs, each once; models of other roles are not loaded."""
    links = plan_chain(settings.chain, settings.chain.mode)
    return list(dict.fromkeys(link.queue for link in links))


def painted_px(settings: Settings) -> int | None:
    """Return the longer side of the images that the profile generates."""
    sizes = [
        max(family.size_wh)
        for family in settings.families.values()
        if isinstance(family, GeneratorConfig)
    ]
    return max(sizes, default=None)
