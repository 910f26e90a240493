"""Ontology of a request: what its labels say of words, phrases, styles and first images.

These become options of the run, by label.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chatgenimage.factory.settings.model import Settings
from chatgenimage.factory.submission.image_options import sizes_of
from chatgenimage.factory.submission.label_files import NO_PLACES
from chatgenimage.factory.submission.labels import LabelRequest
from chatgenimage.tasks.options import ChainOptions
from chatgenimage.tasks.words import classes_by_phrase, classes_by_word, looked_for_as, painted_as


def with_ontology(
    settings: Settings, requests: Sequence[LabelRequest], places: Mapping[str, str] = NO_PLACES
) -> Settings:
    """Return the settings with the words and the image options of the labels in their chain.

    The settings are the same if no label has any of its own. A word of one label alone names
    that label on all images of the run (`chain.classes`). With `search_for: run` the phrases of all
    labels are looked for on all images (`chain.run_phrases`).

    Raises:
        BadLabels: If a label asks for a proportion, and the painter's size is not known.
    """
    own: dict[str, dict[str, Any]] = {
        "painted": {one.label: one.prompt for one in requests if one.prompt},
        "phrases": {one.label: one.detect for one in requests if one.detect},
        "styles": {one.label: one.style for one in requests if one.style},
        "negative_prompts": {
            one.label: one.negative_prompt for one in requests if one.negative_prompt
        },
        "sizes": sizes_of(settings, requests, places),
    }
    chain = _with(settings.chain, own)
    words = classes_by_word([one.label for one in requests], chain)
    chain = _with(chain, {"classes": words})
    if chain.search_for == "run":
        phrases = classes_by_phrase([one.label for one in requests], chain)
        chain = chain.model_copy(update={"run_phrases": phrases})
    return settings if chain == settings.chain else settings.model_copy(update={"chain": chain})


def _with(chain: ChainOptions, own: Mapping[str, Mapping[str, Any]]) -> ChainOptions:
    """Return the options with further entries of their tables."""
    changed = {key: {**getattr(chain, key), **new} for key, new in own.items() if new}
    return chain.model_copy(update=changed) if changed else chain


def words_to_paint(settings: Settings, labels: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each label with the words that language and painting models get."""
    for label in labels:
        yield label, painted_as(label, settings.chain)


def phrases_to_find(settings: Settings, labels: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each label with each phrase that the detector looks for."""
    for label in labels:
        for phrase in looked_for_as(label, settings.chain):
            yield label, phrase
