"""Novelty: whether a prompt says something that was not said before."""

import re
from collections.abc import Iterable

from rapidfuzz import process
from rapidfuzz.distance import Indel

WORD = re.compile(r"[^\W_]+")


class Novelty:
    """Prompts that were taken, and a check of others against them."""

    def __init__(self, known: Iterable[str], most_alike: float) -> None:
        """Remember what is known.

        Args:
            known: Prompts that were written before.
            most_alike: Share of words, in [0, 1], from which on two prompts are the same.
        """
        self._most_alike = most_alike
        self._known = [_words(text) for text in known]

    def take(self, text: str) -> bool:
        """Return whether a prompt is new, and remember it if it is."""
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
    """Return the words of a text, each once and in order: Indel then counts those in common."""
    return sorted(set(WORD.findall(text.casefold())))
