"""Comparison without case, whichever letters a database's `lower` knows.

SQLite, and PostgreSQL with the locale C, lower only A to Z; other locales lower all letters.
"""

from collections.abc import Iterable

ASCII_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def lowered_forms(names: Iterable[str]) -> list[str]:
    """Return all that `lower` makes of the names in any database, as they are usually written.

    These are small letters, capitals, a first capital, and the name as it is given.
    """
    forms: dict[str, None] = {}
    for name in names:
        forms[name.lower()] = None
        for written in (name, name.lower(), name.upper(), name.capitalize(), name.title()):
            forms[written.translate(ASCII_LOWER)] = None
    return list(forms)
