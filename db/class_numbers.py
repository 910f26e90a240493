"""Order of the classes in exports: remembered, so that the number of a class never changes."""

from collections.abc import Collection, Iterable

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from chatgenimage.db.models import ClassNumber

CLASS_NUMBERS = 0x636C6173736573
"""Id of the lock for new class numbers among PostgreSQL's advisory locks."""


def list_numbered_classes(session: Session) -> list[str]:
    """Return the classes that have a number, in order: the first has the number 0."""
    return list(session.scalars(select(ClassNumber.name).order_by(ClassNumber.number)))


def number_classes(session: Session, names: Iterable[str]) -> None:
    """Give the next free numbers to the classes that have none, in their order.

    The session must write: SQLite locks the database when its transaction begins. Processes that do
    this at the same time wait for each other.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(CLASS_NUMBERS)))
    known = list_numbered_classes(session)
    missing = without(names, known)
    rows = [{"number": len(known) + index, "name": name} for index, name in enumerate(missing)]
    if rows:
        session.execute(insert(ClassNumber), rows)


def without(names: Iterable[str], known: Collection[str]) -> list[str]:
    """Return the names that are not known, each once."""
    seen = set(known)
    return [name for name in dict.fromkeys(names) if name not in seen]
