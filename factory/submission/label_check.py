"""Check that the models of a profile know the labels, before anything is written."""

from collections.abc import Mapping, Sequence

from chatgenimage.factory.errors import BadLabels
from chatgenimage.factory.settings.model import Settings
from chatgenimage.factory.submission.label_files import NO_PLACES, shorten, with_place
from chatgenimage.factory.submission.ontology import phrases_to_find, words_to_paint
from chatgenimage.workers.config import RulesConfig
from chatgenimage.workers.errors import UnknownWord
from chatgenimage.workers.llm.rules import Rules
from chatgenimage.workers.vocabulary import list_unreadable
from chatgenimage.workers.weights_config import DetectorConfig

GUIDE = "docs/first-real-run.md"
SHOWN_UNKNOWN = 3


def refuse_unknown_words(
    settings: Settings, labels: Sequence[str], places: Mapping[str, str] = NO_PLACES
) -> None:
    """Check the labels against the offline rule book; other language models know all words.

    Args:
        settings: The profile.
        labels: The classes asked for.
        places: Where they were read, by label.

    Raises:
        BadLabels: If the profile's rule book does not know a word; lists the words it knows.
    """
    config = settings.families.get("language")
    if not isinstance(config, RulesConfig):
        return
    rules = Rules.load(config)
    unknown: dict[str, str] = {}
    for label, word in words_to_paint(settings, labels):
        try:
            rules.describe_features(word, seed=0)
        except UnknownWord as error:
            unknown[label] = str(error)
    if len(unknown) == 1:
        [(label, problem)] = unknown.items()
        raise BadLabels([with_place(f"{problem} For your own labels: {GUIDE}.", label, places)])
    if unknown:
        named = [_name(label, settings.chain.painted.get(label), places) for label in unknown]
        raise BadLabels([_describe_unknown(named, rules.words)])


def refuse_unreadable(
    settings: Settings, labels: Sequence[str], places: Mapping[str, str] = NO_PLACES
) -> None:
    """Check what is looked for against the detector's vocabulary: other words are never found.

    Nothing is checked where the checkpoint is not on this machine.

    Args:
        settings: The profile.
        labels: The classes asked for.
        places: Where they were read, by label.

    Raises:
        BadLabels: If the detector cannot read a phrase of a label.
    """
    phrases = {phrase: label for label, phrase in phrases_to_find(settings, labels)}
    problems = [
        with_place(
            f"label {shorten(phrases[phrase])}: the detector ({key}: {family.checkpoint}) cannot "
            f"read {_it(phrase, phrases[phrase])}, so it would never be found; write an English "
            "word for it (in a table: the column `detect`), or use a checkpoint that knows it.",
            phrases[phrase],
            places,
        )
        for key, family in settings.families.items()
        if isinstance(family, DetectorConfig)
        for phrase in list_unreadable(family, phrases)
    ]
    if problems:
        raise BadLabels(problems)


def _name(label: str, painted: str | None, places: Mapping[str, str]) -> str:
    """Return a label with the words that it is painted by, if it has some, and its place."""
    word = shorten(label) if painted is None else f"{shorten(painted)} of {shorten(label)}"
    return f"{word}, {places[label]}" if label in places else word


def _describe_unknown(named: Sequence[str], known: Sequence[str]) -> str:
    more = f"; and {len(named) - SHOWN_UNKNOWN} more" if len(named) > SHOWN_UNKNOWN else ""
    return (
        f"the demo models know {len(known)} words; {len(named)} of yours are not among them "
        f"(first: {'; '.join(named[:SHOWN_UNKNOWN])}{more}). They know: {', '.join(known)}. For "
        f"your own labels: {GUIDE}."
    )


def _it(phrase: str, label: str) -> str:
    return "it" if phrase == label else shorten(phrase)
