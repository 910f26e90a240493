"""Vocabularies of tiny checkpoints."""

WORDS = ("dog", "house", "tree", "car", "city", "street", "a", "in", "forest")


def letters(*special: str) -> dict[str, int]:
    """Return a vocabulary that spells every word letter by letter."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,Ġ"
    names = [*special, *letters, *(f"{letter}</w>" for letter in letters)]
    return {name: index for index, name in enumerate(names)}
