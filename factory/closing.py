"""The end of a run: when nothing is left to do, its near-duplicates are told."""

from collections.abc import Mapping
from dataclasses import dataclass

from db.closing import close_run, count_judged
from db.fingerprints import Scope
from db.models import Run
from db.session import Sessions, reading
from factory.duplicates import open_album, write_twins
from factory.refilter import limits_in_force, options_of
from tasks.duplicates import Twin
from tasks.judging import Limits


@dataclass(frozen=True, slots=True)
class Closing:
    """What the end of a run changes.

    Attributes:
        judged: How many verdicts it follows from.
    """

    run_id: int
    judged: int
    limits: Limits
    twins: Mapping[int, Twin]


def close(sessions: Sessions, run_id: int) -> bool:
    """Reject the near-duplicates of a run that has no batch left, and end it.

    They are looked for before anything is locked, which takes a minute for a million candidates.

    Returns:
        False if another dispatcher ended it, or somebody retried what was given up.
    """
    closing = _prepare(sessions, run_id)
    with sessions.begin() as session:
        if not close_run(session, run_id) or count_judged(session, run_id) != closing.judged:
            session.rollback()
            return False
        write_twins(session, Scope(run_id), closing.twins, closing.limits)
    return True


def _prepare(sessions: Sessions, run_id: int) -> Closing:
    with reading(sessions) as session:
        run = session.get_one(Run, run_id)
        limits = limits_in_force(session, run)
        album = open_album(session, Scope(run_id), options_of(run))
        judged = count_judged(session, run_id)
        return Closing(run_id, judged, limits, album.twins(album.good, limits))
