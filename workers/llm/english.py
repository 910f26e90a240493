"""English phrases for the models of any profile: articles, lists and the edit instruction.

The grammar of the micro world is in `workers.llm.rulebook`, which builds on these.
"""

from collections.abc import Sequence

EDIT_INSTRUCTION = "change the background to {background}"


def with_article(noun: str) -> str:
    """Return the noun with "a" or "an"."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def enumerate_objects(nouns: Sequence[str]) -> str:
    """Return "a dog", "a dog and a tree" or "a dog, a tree and an elephant"."""
    phrases = [with_article(noun) for noun in nouns]
    return " and ".join(filter(None, [", ".join(phrases[:-1]), phrases[-1]]))
