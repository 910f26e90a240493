"""Reviews in bulk: read from a CSV, written to one, stored in the database."""

import csv
import getpass
import io
import os
import socket
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from chatgenimage.db.marks import iter_marks
from chatgenimage.db.models import Candidate, Label, Run
from chatgenimage.db.states import Marked
from chatgenimage.factory.errors import BadMarks

MARKS = {Marked.GOOD: True, Marked.BAD: False}


def name_person() -> str:
    """Return the person who gives the command as user@host, for rows that have an author."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have a number and no name
        name = str(os.getuid())
    return f"{name}@{socket.gethostname()}"


def read_marks(session: Session, run: Run, path: Path) -> dict[int, bool]:
    """Return reviews by candidate, True is good; lines with an empty `mark` are skipped.

    Args:
        session: To look the candidates up.
        run: Whose candidates they are.
        path: CSV with a column `mark` (good or bad), and either `candidate` or `id`, or `label`
            and `key`, as `factory query --format csv` writes them.

    Raises:
        BadMarks: If the file cannot be read, or a line names no candidate of the run.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return _parse(csv.DictReader(file), _known(session, run), f"{path}, line", run.id)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadMarks(f"cannot read the reviews in {path}: {error}.") from error


def marks_csv(session: Session, run: Run) -> str:
    """Return the reviews of a run's candidates as `read_marks` reads them."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("label", "key", "mark"))
    names = {is_good: said.value for said, is_good in MARKS.items()}
    marks = dict(iter_marks(session, run.id))
    for candidate_id, label, key in session.execute(_places(run)):
        if candidate_id in marks:
            table.writerow((label, key, names[marks[candidate_id]]))
    return text.getvalue()


def _parse(
    lines: "csv.DictReader[str]", known: Mapping[str, int], place: str, run_id: int
) -> dict[int, bool]:
    """Return good or bad by candidate, from the lines of a table; empty reviews are skipped.

    Raises:
        BadMarks: With the first line that names no candidate or no review.
    """
    marks: dict[int, bool] = {}
    for number, line in enumerate(lines, start=2):
        mark = (line.get("mark") or "").strip().lower()
        if not mark and "mark" in line:
            continue
        candidate_id = _find(line, known)
        if candidate_id is None or mark not in MARKS:
            raise BadMarks(
                f"{place} {number}: expected the columns mark (good or bad) and "
                f"candidate (an id of run {run_id}), or label and key."
            )
        marks[candidate_id] = MARKS[Marked(mark)]
    return marks


def _known(session: Session, run: Run) -> dict[str, int]:
    """Return the ids of a run's candidates, by id and by label and key."""
    known: dict[str, int] = {}
    for candidate_id, label, key in session.execute(_places(run)):
        known[str(candidate_id)] = known[f"{label}\n{key}"] = candidate_id
    return known


def _find(line: Mapping[str, str | None], known: Mapping[str, int]) -> int | None:
    candidate = (line.get("candidate") or line.get("id") or "").strip()
    named = f"{(line.get('label') or '').strip()}\n{(line.get('key') or '').strip()}"
    return known.get(candidate or named)


def _places(run: Run) -> Select[int, str, str]:
    return (
        select(Candidate.id, Label.name, Candidate.key)
        .join(Label, Label.id == Candidate.label_id)
        .where(Candidate.run_id == run.id)
        .order_by(Candidate.id)
    )
