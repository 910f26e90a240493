"""Classes of an export: their names and numbers, and what is left out.

The numbers follow an order that the database remembers, so that a class has the same number in
every export, whatever was filtered (docs/adr/0016).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from chatgenimage.db.class_numbers import list_numbered_classes, number_classes, without
from chatgenimage.db.classes import NO_CLASS, list_extras, list_run_classes
from chatgenimage.db.error_messages import explain
from chatgenimage.db.exporting import count_objects
from chatgenimage.db.queries import CandidateFilter, count_candidates
from chatgenimage.db.session import Sessions
from chatgenimage.factory.export.class_choice import CLASSES_FILE, ClassChoice
from chatgenimage.factory.query.filters import check_name, shorten_list


@dataclass(frozen=True)
class ExportClasses:
    """The classes of an export.

    Attributes:
        names: By number, from 0.
        choice: What the person asked for.
        others: Names among them that no exported run was asked for or shows.
        unnumbered: Names among them that the database does not remember yet.
        problem: Why the order could not be remembered; None: it is.
        extras: Labels of objects that nobody asked for, which are left out.
    """

    names: tuple[str, ...]
    choice: ClassChoice = field(default_factory=ClassChoice)
    others: tuple[str, ...] = ()
    unnumbered: tuple[str, ...] = ()
    problem: str | None = None
    extras: frozenset[str] = frozenset()

    def of(self, label: str) -> str:
        """Return the class of a label, `NO_CLASS` if it is left out."""
        if label in self.extras:
            return NO_CLASS
        name = self.choice.rename(label)
        return name if name in self._known else NO_CLASS

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.names)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What a choice of classes leaves out.

    Attributes:
        objects: Number of objects by label.
        images: Number of images of other classes that show no chosen one.
    """

    objects: dict[str, int]
    images: int


def check_choice(
    session: Session, choice: ClassChoice, *, use_reviews: bool = False
) -> tuple[str, ...] | None:
    """Return the labels that belong to the chosen classes; None: no classes were chosen.

    Raises:
        UnknownName: If `--classes` or `--map` has a name that no run was asked for or shows.
    """
    if choice.names is None and not choice.merged:
        return None
    known = list_run_classes(session, use_reviews=use_reviews)
    for old in choice.merged:
        check_name("class", old, known)
    if choice.names is None:
        return None
    renamed = list(dict.fromkeys(map(choice.rename, known)))
    for name in choice.names:
        check_name("class", name, renamed)
    return tuple(label for label in known if choice.rename(label) in choice.names)


def try_to_number(sessions: Sessions, names: Sequence[str]) -> str | None:
    """Remember the order of new classes; return why it is not possible, None if it is done."""
    try:
        with sessions.begin() as session:
            number_classes(session, names)
    except DBAPIError as error:  # e.g. a database user who may only read
        return explain(error)
    return None


def plan_classes(
    session: Session,
    choice: ClassChoice,
    own: Sequence[str],
    problem: str | None = None,
    extras: frozenset[str] = frozenset(),
) -> ExportClasses:
    """Return the classes of an export of runs.

    By default these are the numbered classes up to the last one of these runs, so that numbers have
    no gap; classes of other runs among them keep their numbers and have no objects.

    Args:
        session: To read with.
        choice: What the person asked for.
        own: The classes of the runs, as `db.classes.list_run_classes` returns them.
        problem: Why new classes could not get a number; they are put at the end then.
        extras: Those of them that are left out.
    """
    own = [name for name in own if name not in extras]
    used = set(map(choice.rename, own))
    if choice.names is not None:
        return ExportClasses(choice.names, choice, _other(choice.names, used))
    numbered = list_numbered_classes(session)
    new = without(own, numbered)
    number_of = {name: number for number, name in enumerate([*numbered, *new])}
    end = max((_place(name, choice, number_of) + 1 for name in own), default=0)
    names = tuple(dict.fromkeys(map(choice.rename, list(number_of)[:end])))
    if problem is None:
        unnumbered = tuple(new)
        return ExportClasses(
            names, choice, _other(names, used), unnumbered=unnumbered, extras=extras
        )
    return ExportClasses(names, choice, _other(names, used), problem=problem, extras=extras)


def _place(label: str, choice: ClassChoice, number_of: Mapping[str, int]) -> int:
    """Return the number of a label's class; a new class of `--map` takes the label's place."""
    name = choice.rename(label)
    is_known = name in number_of and choice.rename(name) == name
    return number_of[name if is_known else label]


def find_extras_left_out(
    session: Session, choice: ClassChoice, run_ids: Collection[int], *, use_reviews: bool = False
) -> frozenset[str]:
    """Return the extras; none if they are asked for, one by one or all."""
    if choice.extras or choice.names is not None:
        return frozenset()
    named = {*choice.merged, *choice.merged.values()}
    return list_extras(session, run_ids, use_reviews=use_reviews) - named


def count_left_out(session: Session, wanted: CandidateFilter, classes: ExportClasses) -> LeftOut:
    """Return what the choice of classes leaves out of the candidates of a filter."""
    if classes.choice.names is None and not classes.extras:
        return LeftOut({}, 0)
    found = count_objects(session, wanted)
    others = {label: count for label, count in found.items() if classes.of(label) == NO_CLASS}
    if classes.choice.names is None:
        return LeftOut(others, 0)
    without_limit = replace(wanted, limit=None)
    shown = count_candidates(session, without_limit)
    return LeftOut(others, count_candidates(session, replace(without_limit, classes=None)) - shown)


def describe_classes(classes: ExportClasses, left_out: LeftOut) -> Iterator[str]:
    """Yield a sentence for everything that a person may not expect of the classes."""
    if left_out.objects or left_out.images:
        largest = sorted(left_out.objects.items(), key=lambda pair: (-pair[1], pair[0]))
        named = shorten_list([f"{label} {count}" for label, count in largest])
        objects = f"objects {sum(left_out.objects.values())} ({named})"
        if classes.choice.names is None:
            yield (
                f"Left out: {objects} of classes that were not asked for; --extras exports them."
            )
        else:
            yield f"Left out by --classes: {objects}, images {left_out.images}."
    if classes.others and classes.choice.names is None:
        yield (
            f"{len(classes.others)} of the {len(classes.names)} classes are of other runs or "
            f"extras and have no objects here ({shorten_list(classes.others)}): "
            "a class keeps its number."
        )
    elif classes.others:
        yield f"Classes that are not in these runs: {shorten_list(classes.others)}."
    if classes.problem:
        yield (
            f"The numbers of new classes were not remembered, a later export may give others: "
            f"{classes.problem} To fix the order: --classes {CLASSES_FILE} of this export."
        )


def _other(names: Sequence[str], used: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name not in used)
