"""Words of the micro world: captions in the rule book's grammar, vocabularies, tokenizers."""

import re
from collections.abc import Sequence

import numpy as np

from chatgenimage.workers.llm.english import EDIT_INSTRUCTION
from chatgenimage.workers.llm.rulebook import (
    RuleBook,
    describe,
    describe_beside,
    describe_close_up,
    describe_with_feature,
)
from training.places import RULES

BOOK = RuleBook.load(RULES)
GRAMMAR = ("a", "an", "and", "next", "to", "with", "of", "close", "up", "-", ",")
FIXED_TOKENS = {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]", 1012: "."}
"""Token numbers of BERT's vocabulary that are hard-coded in Grounding DINO."""


def write_caption(
    rng: np.random.Generator, nouns: Sequence[str], background: str, *, is_close_up: bool = False
) -> str:
    """Return a caption of a scene in one of the grammar's forms."""
    place = BOOK.backgrounds[background].place
    ordered = [nouns[index] for index in rng.permutation(len(nouns))]
    if is_close_up and rng.random() < 0.8:
        return describe_close_up(ordered[0], place)
    if len(ordered) == 1 and rng.random() < 0.4:
        feature = rng.choice(BOOK.objects[ordered[0]].features)
        return describe_with_feature(ordered[0], str(feature), place)
    if len(ordered) > 1 and rng.random() < 0.4:
        return describe_beside(ordered[0], ordered[1:], place)
    return describe(ordered, place)


def write_plain_caption(nouns: Sequence[str], background: str) -> str:
    """Return the caption that BLIP-2 learns: the objects from left to right, then the place."""
    return describe(nouns, BOOK.backgrounds[background].place)


def write_instruction(background: str) -> str:
    """Return "change the background to a beach"."""
    return EDIT_INSTRUCTION.format(background=BOOK.backgrounds[background].noun)


def all_words() -> list[str]:
    """Return every word of the grammar, sorted."""
    phrases = [*GRAMMAR, *BOOK.objects, EDIT_INSTRUCTION.format(background="")]
    phrases += [feature for rule in BOOK.objects.values() for feature in rule.features]
    phrases += [text for rule in BOOK.backgrounds.values() for text in (rule.noun, rule.place)]
    return sorted({word for phrase in phrases for word in re.findall(r"[a-z]+|[,-]", phrase)})


def detector_vocabulary() -> list[str]:
    """Return the detector's vocabulary: one token per word, BERT's numbers for special tokens."""
    words = iter(all_words())
    size = max(FIXED_TOKENS) + 1
    return [
        FIXED_TOKENS[index] if index in FIXED_TOKENS else next(words, f"[unused{index}]")
        for index in range(size)
    ]
