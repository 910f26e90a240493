"""Search for all classes of a run on each image: how many passes of the detector it takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from chatgenimage.factory.settings.model import Settings
from chatgenimage.tasks.options import ChainOptions
from chatgenimage.tasks.resources import KEYS
from chatgenimage.tasks.words import class_of_word, looked_for_as
from chatgenimage.workers.interfaces import Detector
from chatgenimage.workers.weights_config import DetectorConfig


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """Search for all classes of a run.

    Attributes:
        classes: Number of classes that are looked for on every image.
        phrases: Number of phrases of an image, without the caption's nouns.
        passes: Passes of the detector for an image; None: the detector takes lists of any length.
        usual_passes: The same if an image is searched for its own label.
        only_own: Classes that are looked for on their own images only, because other classes share
            all their phrases.
    """

    classes: int
    phrases: int
    passes: int | None
    usual_passes: int | None
    only_own: tuple[str, ...]


def plan_search(settings: Settings, labels: Sequence[str]) -> SearchPlan | None:
    """Return what the search for all classes takes; None if it was not asked for."""
    chain = settings.chain
    if chain.search_for != "run":
        return None
    listed = _listed_phrases(chain)
    phrases = len(listed | {phrase.casefold() for phrase in chain.run_phrases})
    found = set(chain.run_phrases.values())
    return SearchPlan(
        classes=len(found),
        phrases=phrases,
        passes=_passes(settings, phrases),
        usual_passes=_passes(settings, len(listed) + 1),
        only_own=tuple(label for label in labels if label not in found),
    )


def extra_passes(settings: Settings) -> int:
    """Return how many more passes of the detector an image takes than with its own label alone."""
    found = plan_search(settings, ())
    if found is None or found.passes is None or found.usual_passes is None:
        return 0
    return found.passes - found.usual_passes


def _listed_phrases(chain: ChainOptions) -> set[str]:
    names = (class_of_word(word, chain) for word in chain.class_list)
    return {phrase.casefold() for name in names for phrase in looked_for_as(name, chain)}


def _passes(settings: Settings, phrases: int) -> int | None:
    detector = settings.families.get(KEYS[Detector])
    if not isinstance(detector, DetectorConfig):
        return None
    return ceil(phrases / detector.max_labels_per_prompt)
