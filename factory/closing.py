"""The end of a run: its near-duplicates are told, and whether its quotas are reached."""

from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from sqlalchemy.orm import Session

from db.closing import Progress, end_run, hold_finished, measure_progress
from db.fingerprints import Scope
from db.models import Run
from db.quotas import add_batches, list_quotas
from db.session import Sessions, reading
from factory.duplicates import open_album, write_twins
from factory.quotas import next_sizes
from factory.refilter import limits_in_force, options_of
from tasks.duplicates import Twin
from tasks.judging import Limits

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Closing:
    """What follows from all that a run has made.

    Attributes:
        seen: What it has made.
    """

    run_id: int
    seen: Progress
    batch_size: int
    limits: Limits
    twins: Mapping[int, Twin]


def close(sessions: Sessions, run_id: int) -> bool:
    """Reject the near-duplicates of a run that has no batch left, then end it.

    It goes on instead if a label has not reached its quota and may have more images. Duplicates are
    looked for before anything is locked, which takes a minute for a million candidates.

    Returns:
        Whether the run is done now; False too if another dispatcher was faster, or somebody
        retried what was given up.
    """
    return conclude(sessions, prepare(sessions, run_id))


def conclude(sessions: Sessions, closing: Closing) -> bool:
    """Write what follows, unless the run is another one by now; return whether it is done."""
    run_id = closing.run_id
    with sessions.begin() as session:
        if not hold_finished(session, run_id, closing.seen):
            return False
        write_twins(session, Scope(run_id), closing.twins, closing.limits)
        if _add_missing(session, closing):
            return False
        end_run(session, run_id)
    log.info("run_done", run_id=run_id)
    return True


def prepare(sessions: Sessions, run_id: int) -> Closing:
    """Return what follows from all that a run has made; nothing is locked."""
    with reading(sessions) as session:
        run = session.get_one(Run, run_id)
        limits, options = limits_in_force(session, run), options_of(run)
        album = open_album(session, Scope(run_id), options)
        seen = measure_progress(session, run_id)
        twins = album.twins(album.good, limits)
        return Closing(run_id, seen, options.chain.batch_size, limits, twins)


def _add_missing(session: Session, closing: Closing) -> int:
    """Add batches to the labels that miss their quota; return how many."""
    added = 0
    for quota in list_quotas(session, closing.run_id):
        sizes = next_sizes(quota, closing.batch_size)
        add_batches(session, closing.run_id, quota, sizes)
        added += len(sizes)
        if sizes:
            log.info("quota_missing", label=quota.label, missing=quota.missing, images=sum(sizes))
    return added
