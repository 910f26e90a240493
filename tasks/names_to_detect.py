"""Names that a detector looks for in an image: those asked for, and nouns of its caption."""

import re
from collections.abc import Sequence
from dataclasses import replace

from chatgenimage.tasks.options import ChainOptions
from chatgenimage.tasks.words import class_of_word, looked_for_as, names_by_phrase
from chatgenimage.workers.llm.stop_nouns import STOP_NOUNS
from chatgenimage.workers.llm.word_forms import mentions
from chatgenimage.workers.values import Detection

ARTICLES = frozenset({"a", "an", "the", "some", "one", "two", "three", "four", "five"})
FUNCTION_WORDS = ARTICLES | {
    *("of", "in", "on", "at", "by", "to", "from", "with", "near", "next", "under", "over", "into"),
    *("above", "below", "behind", "beside", "between", "onto", "front", "up", "down", "out"),
    *("and", "or", "that", "which", "who", "while", "as", "there", "it", "its", "their", "his"),
    *("her", "is", "are", "was", "has", "have"),
}


def names_to_detect(names: Sequence[str], caption: str, options: ChainOptions) -> tuple[str, ...]:
    """Return what the detector looks for, once, compared without case.

    That is the names by their phrases, the phrases of all classes of the run if the run asks for
    them, and the caption's nouns.
    """
    nouns = extra_nouns(caption, names, options) if options.caption_nouns else ()
    phrases = [phrase for name in names for phrase in looked_for_as(name, options)]
    own = {phrase.casefold() for phrase in phrases}
    of_run = [phrase for phrase in options.run_phrases if phrase.casefold() not in own]
    found = (*nouns, *reversed(of_run), *reversed(phrases))
    unique = {name.casefold(): name for name in found}
    return tuple(reversed(unique.values()))


def extra_nouns(caption: str, names: Sequence[str], options: ChainOptions) -> list[str]:
    """Return the caption's nouns that may be objects and are in no name that is looked for."""
    phrases = [phrase for name in names for phrase in (name, *looked_for_as(name, options))]
    phrases += options.run_phrases
    return [
        noun
        for noun in nouns_of(caption)
        if noun not in STOP_NOUNS and not any(mentions(phrase, noun) for phrase in phrases)
    ]


def named(
    found: Sequence[Detection], names: Sequence[str], options: ChainOptions
) -> list[Detection]:
    """Return the detections, each with the name that its phrase belongs to."""
    by_phrase = {**options.run_phrases, **names_by_phrase(names, options)}
    return [
        replace(one, label=by_phrase.get(one.label) or class_of_word(one.label, options))
        for one in found
    ]


def sure_enough(found: Sequence[Detection], options: ChainOptions) -> list[Detection]:
    """Return the detections that reach the threshold of their class, if it has one of its own."""
    least = options.box_thresholds
    return [one for one in found if one.confidence >= least.get(one.label, 0.0)]


def nouns_of(caption: str) -> tuple[str, ...]:
    """Return the head noun of each phrase that starts with an article or a number.

    "there is a red cabin in the woods with a wooden deck" gives cabin, woods, deck.
    """
    words = re.findall(r"[^\W\d_]+", caption.casefold())
    heads, head, open_phrase = [], None, False
    for word in [*words, "and"]:
        if word in FUNCTION_WORDS or word.endswith("ing"):
            if head:
                heads.append(head)
            head, open_phrase = None, word in ARTICLES
        elif open_phrase:
            head = word
    return tuple(dict.fromkeys(heads))
