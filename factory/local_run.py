"""The main job on one machine: submits labels, runs workers until the run ends, shows progress."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from chatgenimage.db.control import set_run_state
from chatgenimage.db.models import Run
from chatgenimage.db.preview import is_previewed, measure_held
from chatgenimage.db.run_problems import find_common_failure
from chatgenimage.db.runs import count_open_batches
from chatgenimage.db.session import Sessions, connect, reading
from chatgenimage.db.spending import pause, spent_budget_of
from chatgenimage.db.states import RunEvent, RunState
from chatgenimage.factory.broker.broker import open_broker
from chatgenimage.factory.database import open_database
from chatgenimage.factory.errors import (
    BrokerUnavailable,
    BudgetSpent,
    NothingSucceeds,
    RunPaused,
    WorkerDied,
)
from chatgenimage.factory.local_workers.worker_plan import WorkerPlan, plan_workers
from chatgenimage.factory.local_workers.worker_processes import WorkerProcesses
from chatgenimage.factory.notifications.notifier import notifying
from chatgenimage.factory.progress.display import RunDisplay, open_display
from chatgenimage.factory.settings.child_environment import environment_for_child
from chatgenimage.factory.settings.model import Settings
from chatgenimage.factory.submission.budgets import NO_LIMITS, SpendingLimits, budget_advice
from chatgenimage.factory.submission.labels import LabelRequest
from chatgenimage.factory.submission.submitter import Submission, submit

POLL_S = 0.5
LEAST_FAILURES = 10
"""A run whose first items all fail for one reason is stopped after so many."""


def submit_labels(
    settings: Settings,
    requests: Sequence[LabelRequest],
    *,
    seed: int | None,
    limits: SpendingLimits = NO_LIMITS,
    previews: bool = False,
) -> Submission:
    """Write the rows of a run; the database is created if there is none."""
    with open_database(settings).begin() as session:
        return submit(session, requests, settings, seed=seed, limits=limits, previews=previews)


@contextmanager
def working_off(  # noqa: PLR0913  # parts of a command
    settings: Settings,
    profile: str | None,
    run_id: int,
    plan: WorkerPlan,
    *,
    is_shown: bool = True,
    previews: bool = False,
) -> Iterator[None]:
    """Run worker processes until the run is done, with a live view of its progress.

    The `with` block runs while the processes stop, which takes two seconds; then its end waits for
    them, and sends the notifications.

    Args:
        settings: Of the run.
        profile: That they came from.
        run_id: Which run.
        plan: Of the processes; if one ends, others of its roles do its work.
        is_shown: Whether the progress is shown.
        previews: Whether to stop when the first images are judged, and pause the run, unless
            nothing else is to be made.

    Raises:
        WorkerDied: If every process of a role ended before its work.
        BudgetSpent: If the language model has cost what it may.
        RunPaused: If a server refuses the key, or has no credit left.
        NothingSucceeds: If all of the first items were given up for the same reason.
        KeyboardInterrupt: After Ctrl-C, when the workers have given back what they held.
    """
    sessions = connect(settings.resolved_database_url())
    if _is_over(sessions, run_id):  # its preview was all of it
        yield
        return
    with (
        notifying(settings, sessions, run_id),
        open_broker(settings) as broker,
        WorkerProcesses(
            settings, environment_for_child(settings, profile, broker.url), plan
        ) as workers,
    ):
        with open_display(sessions, run_id, is_shown=is_shown, starts_workers=True) as progress:
            while not _has_stopped(sessions, run_id, previews=previews):
                _look_after(sessions, run_id, workers, progress, broker.revive)
                time.sleep(POLL_S)
            progress.refresh()
        workers.begin_stop()
        yield


def plan_for_run(
    settings: Settings, run_id: int, wanted: int | None, roles: Sequence[str] = ()
) -> WorkerPlan:
    """Return the worker processes for what is left of a run.

    Args:
        settings: Of the run.
        run_id: Which run.
        wanted: A number that a person chose; None: as many as the machine and the run can use.
        roles: Those that are needed; none: all that the profile has.
    """
    with connect(settings.resolved_database_url())() as session:
        batches = count_open_batches(session, run_id)
    return plan_workers(settings, wanted, roles, batches)


def _look_after(
    sessions: Sessions,
    run_id: int,
    workers: WorkerProcesses,
    progress: RunDisplay,
    revive_broker: Callable[[], None],
) -> None:
    """Check the processes, the run and the broker once, and show the progress.

    Raises:
        WorkerDied: If every process of a role has ended before its work.
        NothingSucceeds: If all of the first items were given up for the same reason.
    """
    _report_ended(workers, progress, run_id)
    _stop_if_nothing_succeeds(sessions, run_id)
    with suppress(BrokerUnavailable):  # the worker waits for it too, and says so
        revive_broker()
    progress.refresh()


def _report_ended(workers: WorkerProcesses, progress: RunDisplay, run_id: int) -> None:
    """Report the worker processes that have ended since the last call.

    Raises:
        WorkerDied: If every process of a role has ended before its work.
    """
    try:
        for message in workers.note_ended():
            progress.note(message)
    except WorkerDied as error:
        raise WorkerDied(f"{error}; `factory resume {run_id}` continues.") from None


def _has_stopped(sessions: Sessions, run_id: int, *, previews: bool) -> bool:
    """Return whether the run is over, or is paused now for the preview of its first images."""
    return _is_over(sessions, run_id) or (previews and _pause_at_preview(sessions, run_id))


def _is_over(sessions: Sessions, run_id: int) -> bool:
    """Return whether the run has ended.

    Raises:
        RunPaused: If the factory itself paused the run; BudgetSpent, if its budget is spent.
    """
    with sessions() as session:
        run = session.get_one(Run, run_id)
        if run.state == RunState.PAUSED and run.pause_reason:
            message = f"run {run_id} is paused: {run.pause_reason}. Nothing is lost."
            if spent_budget_of(run):
                raise BudgetSpent(f"{message} {budget_advice(run)}")
            raise RunPaused(f"{message} When that is corrected: `factory resume {run_id}`.")
        return run.state in (RunState.DONE, RunState.CANCELLED)


def _pause_at_preview(sessions: Sessions, run_id: int) -> bool:
    """Return whether the first images are judged and more work waits; pause the run then."""
    with reading(sessions) as session:
        if not is_previewed(session, run_id) or not measure_held(session, run_id).is_any:
            return False
    with sessions.begin() as session:
        set_run_state(session, session.get_one(Run, run_id), RunState.PAUSED)
    return True


def _stop_if_nothing_succeeds(sessions: Sessions, run_id: int) -> None:
    """Pause a run in which every item so far was given up for the same reason, e.g. a wrong key.

    Raises:
        NothingSucceeds: If it is such a run.
    """
    with reading(sessions) as session:
        found = find_common_failure(session, run_id, LEAST_FAILURES)
    if found is None:
        return
    reason = f"all of the first {found.count} items were given up: {found.reason}"
    with sessions.begin() as session:
        is_paused = pause(session, run_id, reason, RunEvent.NOTHING_SUCCEEDS)
    if not is_paused:
        return
    raise NothingSucceeds(
        f"run {run_id} is paused: all of its first {found.count} items were given up in the step "
        f"`{found.step}`: {found.reason} When that is corrected: `factory retry {run_id}`, then "
        f"`factory resume {run_id}`."
    )
