"""Words of a class: what it is painted as, what the detector looks for, and its name in rows.

Rows, exports and filters have the name of the class as the person wrote it. Models read words:
those that were given for the class, or else its name in a form that models know, so that
`traffic_light` is painted and found as "traffic light".
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache

from chatgenimage.tasks.names import PROMPT_SLOT
from chatgenimage.tasks.options import ChainOptions

BETWEEN_WORDS = "_"
ALTERNATIVES = "/"
MOST_NAMES = 10_000
"""Names whose forms are kept: more than a class list has, which is gone through for every image."""


def painted_as(name: str, options: ChainOptions) -> str:
    """Return the words by which a class is asked for from language and painting models."""
    return options.painted.get(name) or forms_of(name)[0]


def looked_for_as(name: str, options: ChainOptions) -> tuple[str, ...]:
    """Return the phrases by which the detector looks for a class, at least one."""
    phrases = options.phrases.get(name) or (name,)
    return tuple(dict.fromkeys(form for phrase in phrases for form in forms_of(phrase)))


@lru_cache(MOST_NAMES)
def forms_of(name: str) -> tuple[str, ...]:
    """Return a name as models read it: "TV/monitor" is "TV" and "monitor", `_` is a space."""
    parts = (" ".join(part.split(BETWEEN_WORDS)).split() for part in name.split(ALTERNATIVES))
    forms = tuple(dict.fromkeys(" ".join(words) for words in parts if words))
    return forms or (name,)


def styled(prompt: str, name: str, options: ChainOptions) -> str:
    """Return a prompt in the style of its label, or of the run."""
    return options.styles.get(name, options.style).replace(PROMPT_SLOT, prompt)


def class_of_word(word: str, options: ChainOptions) -> str:
    """Return the class of a word, compared without case; the word if no class has it."""
    return options.classes.get(word.casefold(), word)


def classes_by_word(names: Iterable[str], options: ChainOptions) -> dict[str, str]:
    """Return the class of each word by which one class alone is painted and looked for.

    Words that are the name of their class are left out.
    """
    owners: dict[str, list[str]] = {}
    for name in names:
        for word in dict.fromkeys(phrase.casefold() for phrase in looked_for_as(name, options)):
            owners.setdefault(word, []).append(name)
    return {
        word: name
        for word, (name, *others) in owners.items()
        if not others and painted_as(name, options).casefold() == word != name
    }


def classes_by_phrase(names: Iterable[str], options: ChainOptions) -> dict[str, str]:
    """Return the class of each phrase that is looked for of one class alone, in order.

    Phrases that several of the classes share are left out: what they find could be any of them.
    """
    owners: dict[str, list[tuple[str, str]]] = {}
    for name in names:
        for phrase in looked_for_as(name, options):
            owners.setdefault(phrase.casefold(), []).append((phrase, name))
    return dict(found[0] for found in owners.values() if len(found) == 1)


def names_by_phrase(names: Iterable[str], options: ChainOptions) -> Mapping[str, str]:
    """Return the class of each phrase that the detector looks for, for the classes given."""
    found: dict[str, str] = {}
    for name in names:
        for phrase in looked_for_as(name, options):
            found.setdefault(phrase, name)
    return found


def names_by_painted(names: Iterable[str], options: ChainOptions) -> Mapping[str, str]:
    """Return the class of each word that models answer with, for the classes given."""
    found: dict[str, str] = {}
    for name in names:
        found.setdefault(painted_as(name, options), name)
    return found
