"""End of a run: reject its near-duplicates and check its quotas."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy.orm import Session

from chatgenimage.db.fingerprints import Scope
from chatgenimage.db.models import Run
from chatgenimage.db.quotas import Quota, add_batches, list_quotas, list_short
from chatgenimage.db.run_completion import (
    RunTotals,
    end_run,
    hold_active,
    hold_finished,
    list_active,
    measure_progress,
)
from chatgenimage.db.session import Sessions, reading
from chatgenimage.factory.curation.duplicates import load_duplicates, write_duplicates
from chatgenimage.factory.curation.refilter import limits_in_force
from chatgenimage.factory.submission.quotas import next_sizes
from chatgenimage.tasks.duplicates import DuplicateMatch
from chatgenimage.tasks.filter_rules import Limits
from chatgenimage.tasks.options import run_options

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RunCompletion:
    """What ends a run: its near-duplicates, computed from a snapshot of its progress.

    Attributes:
        seen: Progress of the run when the snapshot was taken.
    """

    run_id: int
    seen: RunTotals
    batch_size: int
    limits: Limits
    matches: Mapping[int, DuplicateMatch]


def finish_run(sessions: Sessions, run_id: int) -> bool:
    """Reject the near-duplicates of a run that has no batch left, then end it.

    The run continues instead if a label has not reached its quota and may have more images. The
    search for duplicates, a minute for a million candidates, runs before any row is locked.

    Returns:
        Whether the run is done now; also False if another dispatcher was faster, or a user retried
        items that were given up.
    """
    return write_completion(sessions, prepare_completion(sessions, run_id))


def write_completion(sessions: Sessions, completion: RunCompletion) -> bool:
    """Write the end of a run unless it has changed meanwhile; return whether it is done."""
    run_id = completion.run_id
    with sessions.begin() as session:
        if not hold_finished(session, run_id, completion.seen):
            return False
        if _add_batches(session, run_id, list_short(session, run_id), completion.batch_size):
            return False
        write_duplicates(session, Scope(run_id), completion.matches, completion.limits)
        if _add_batches(session, run_id, list_quotas(session, run_id), completion.batch_size):
            return False
        end_run(session, run_id)
    log.info("run_done", run_id=run_id)
    return True


def prepare_completion(sessions: Sessions, run_id: int) -> RunCompletion:
    """Find a run's near-duplicates without locking any row.

    The search runs outside of the transaction, which PostgreSQL would end if it was idle for long
    (`db.deadlines`).
    """
    with reading(sessions) as session:
        run = session.get_one(Run, run_id)
        limits, options = limits_in_force(session, run), run_options(run)
        duplicates = load_duplicates(session, Scope(run_id), options)
        seen = measure_progress(session, run_id)
    matches = duplicates.find_matches(duplicates.good, limits)
    return RunCompletion(run_id, seen, options.chain.batch_size, limits, matches)


def top_up(sessions: Sessions) -> int:
    """Add batches to labels that have no open batch and miss their quota; return how many.

    Other labels of the run may still be in progress. The added batches depend on the label alone,
    so all dispatchers add the same; near-duplicates are rejected when the run has no batch left.
    """
    with reading(sessions) as session:
        short = [run_id for run_id in list_active(session) if list_short(session, run_id)]
    added = 0
    for run_id in short:
        with sessions.begin() as session:
            if run := hold_active(session, run_id):
                batch_size = run_options(run).chain.batch_size
                added += _add_batches(session, run_id, list_short(session, run_id), batch_size)
    return added


def _add_batches(session: Session, run_id: int, quotas: Sequence[Quota], batch_size: int) -> int:
    """Add batches to the given labels; return how many."""
    added = 0
    for quota in quotas:
        sizes = next_sizes(quota, batch_size)
        add_batches(session, run_id, quota, sizes)
        added += len(sizes)
        if sizes:
            log.info("quota_missing", label=quota.title, missing=quota.missing, images=sum(sizes))
    return added
