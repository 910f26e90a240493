"""Words and grammar of the micro world.

The rule book answers in this grammar, and the micro checkpoints are trained on captions written
in it.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from chatgenimage.workers.llm.english import enumerate_objects, with_article

FILE_NAME = "rules.json"
FUNCTION_WORDS = frozenset(("a", "an", "the", "at", "by", "during", "in", "on", "under", "with"))


class ObjectRule(BaseModel):
    """An object of the book.

    Attributes:
        features: Visual features that it is recognised by.
        group: The kind of thing, e.g. "animal".
        aspect: Width divided by height, between 0.4 and 2.5, for a box that it fills.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: tuple[str, ...]
    group: str
    aspect: float = Field(default=1.0, gt=0.4, lt=2.5)


class BackgroundRule(BaseModel):
    """A background as a noun phrase ("a beach") and as a place ("on a beach")."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    noun: str
    place: str


class RuleBook(BaseModel):
    """Every object and background that the micro world has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    objects: dict[str, ObjectRule]
    backgrounds: dict[str, BackgroundRule]

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the book in `folder`."""
        return cls.model_validate(json.loads((folder / FILE_NAME).read_text(encoding="utf-8")))

    def background_in(self, text: str) -> str | None:
        """Return the name of the background that `text` names, or None."""
        return next((name for name, rule in self.backgrounds.items() if rule.noun in text), None)

    def background_for(self, domain: str) -> str | None:
        """Return the name of the background that a domain such as "in snow" means, or None.

        Its words, but for articles and prepositions, must be among those of the background, with
        the background's name or all words of its noun phrase.
        """
        asked = _content_words(domain)
        for name, rule in self.backgrounds.items():
            words = _content_words(rule.noun)
            if asked <= words | {name} and (name in asked or words <= asked):
                return name
        return None


def _content_words(text: str) -> set[str]:
    return set(text.casefold().split()) - FUNCTION_WORDS


def describe(nouns: Sequence[str], place: str) -> str:
    """Return the plain caption: "a dog and a tree in a forest"."""
    return f"{enumerate_objects(nouns)} {place}"


def describe_with_feature(noun: str, feature: str, place: str) -> str:
    """Return "a dog with golden fur in a forest"."""
    return f"{with_article(noun)} with {feature} {place}"


def describe_beside(noun: str, others: Sequence[str], place: str) -> str:
    """Return "a cat next to a dog and a tree on a beach"."""
    return f"{with_article(noun)} next to {enumerate_objects(others)} {place}"


def describe_close_up(noun: str, place: str) -> str:
    """Return the object-centric prompt: "a close-up of a dog in a forest"."""
    return f"a close-up of {describe([noun], place)}"
