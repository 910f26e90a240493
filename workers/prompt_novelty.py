"""Prompt novelty: compare a prompt with those written before."""

import re
from collections.abc import Iterable

from rapidfuzz import process
from rapidfuzz.distance import Indel

WORD = re.compile(r"[^\W_]+")


class Novelty:
    """A set of known prompts, with a check whether another one is new."""

    def __init__(self, known: Iterable[str], most_alike: float) -> None:
        """Store the known prompts.

        Args:
            known: Prompts that were written before.
            most_alike: Share of common words, in [0, 1], at which two prompts count as the same.
        """
        self._most_alike = most_alike
        self._known = [_words(text) for text in known]

    def take(self, text: str) -> bool:
        """Return whether a prompt is new, and add it if it is."""
        words = _words(text)
        alike = process.extractOne(
            words,
            self._known,
            scorer=Indel.normalized_similarity,
            processor=None,
            score_cutoff=self._most_alike,
        )
        if alike is not None:
            return False
        self._known.append(words)
        return True


def _words(text: str) -> list[str]:
    """Return the distinct words of a text in order, so that Indel counts common words."""
    return sorted(set(WORD.findall(text.casefold())))
