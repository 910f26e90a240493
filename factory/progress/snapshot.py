"""Snapshot of a run, for `factory run` and `factory watch`."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy.orm import Session

from chatgenimage.db.clock import now
from chatgenimage.db.models import Run
from chatgenimage.db.run_activity import (
    HeldStep,
    Kind,
    LatestFailure,
    list_durations,
    list_failures,
    list_held_steps,
    measure_recent,
    measure_work,
)
from chatgenimage.db.run_problems import Problems, find_problems
from chatgenimage.db.run_progress import RunOverview, overview
from chatgenimage.db.session import Sessions, reading
from chatgenimage.db.states import RunState
from chatgenimage.factory.problems import problems_record
from chatgenimage.factory.progress.throughput import WINDOW_S, ProgressSample, Throughput


@dataclass(frozen=True, slots=True)
class RunSnapshot:
    """State of a run at one time.

    Attributes:
        age_s: Seconds from submission until now or until its end.
        eta_s: Estimated seconds left, at the recent rate; None: not known.
        share: Share of the computing that is done, in [0, 1]; None: not known.
        images_per_min: Recent rate of new images; None: not known in a run's first seconds.
        problems: What went wrong; None while the run continues.
    """

    run_id: int
    state: str
    pause_reason: str | None
    age_s: float
    counts: RunOverview
    held_steps: list[HeldStep]
    failures: list[LatestFailure]
    eta_s: float | None
    share: float | None
    images_per_min: float | None
    accepted_per_min: float | None
    problems: Problems | None = None

    @property
    def made(self) -> int:
        """Return how many candidates there are."""
        return sum(self.counts.made.values())

    @property
    def accepted(self) -> int:
        """Return how many of them were accepted."""
        return sum(self.counts.accepted.values())

    @property
    def rejected(self) -> int:
        """Return how many of them were rejected."""
        return sum(self.counts.rejected.values())

    @property
    def quarantined(self) -> int:
        """Return how many items were given up."""
        return sum(count.quarantined for count in self.counts.steps)

    @property
    def is_over(self) -> bool:
        """Return whether the run has ended, or is paused with a reason."""
        return _is_over(self.state, self.pause_reason)


class RunMonitor:
    """Reads a run repeatedly, and so measures its rates.

    Args:
        sessions: To read with.
        run_id: Id of the run.
        by_label: Whether the snapshots have counts for each label (`db.run_progress.overview`).
    """

    def __init__(self, sessions: Sessions, run_id: int, *, by_label: bool = True) -> None:
        self._sessions = sessions
        self._run_id = run_id
        self._by_label = by_label
        self._throughput = Throughput()
        self._durations: Mapping[Kind, float] | None = None

    def look(self) -> RunSnapshot:
        """Return the run as it is now."""
        with reading(self._sessions) as session:
            run = session.get_one(Run, self._run_id)
            counts = overview(session, run.id, by_label=self._by_label)
            if self._durations is None:
                self._durations = list_durations(session, run.id)
            work = measure_work(session, run.id, self._durations)
            made, accepted = sum(counts.made.values()), sum(counts.accepted.values())
            sample = ProgressSample(time.monotonic(), work.done_s, made, accepted)
            if self._throughput.is_empty:
                self._throughput.add(_earlier(session, run, sample))
            self._throughput.add(sample)
            is_active = run.state == RunState.ACTIVE
            return RunSnapshot(
                run.id,
                run.state,
                run.pause_reason,
                (run.finished_at or now(session)) - run.created_at,
                counts,
                list_held_steps(session, run.id),
                list_failures(session, run.id),
                self._throughput.eta_s(work) if is_active else None,
                work.share,
                self._throughput.images_per_min,
                self._throughput.accepted_per_min,
                find_problems(session, run.id) if _is_over(run.state, run.pause_reason) else None,
            )


def _is_over(state: str, pause_reason: str | None) -> bool:
    is_stopped = state == RunState.PAUSED and pause_reason is not None
    return is_stopped or state in (RunState.DONE, RunState.CANCELLED)


def _earlier(session: Session, run: Run, sample: ProgressSample) -> ProgressSample:
    """Return a sample from before the first one, by stored times: so rates are known at once."""
    time_now = now(session)
    seen_s = max(min(WINDOW_S, time_now - run.created_at), 0.0)
    recent = measure_recent(session, run.id, time_now - seen_s)
    return ProgressSample(
        sample.at_s - seen_s,
        max(sample.work_s - recent.work_s, 0.0),
        max(sample.images - recent.images, 0),
        max(sample.accepted - recent.accepted, 0),
    )


def labels_of(counts: RunOverview) -> list[str]:
    """Return the labels that have at least one step."""
    return sorted({count.label for count in counts.steps})


def acceptance_of(counts: RunOverview, label: str) -> float | None:
    """Return the share of a label's judged candidates that was accepted."""
    accepted, rejected = _sum_of(counts.accepted, label), _sum_of(counts.rejected, label)
    return accepted / (accepted + rejected) if accepted + rejected else None


def _sum_of(numbers: Mapping[tuple[str, str], int], label: str) -> int:
    return sum(number for (name, _), number in numbers.items() if name == label)


def _label_record(counts: RunOverview, label: str) -> dict[str, Any]:
    share = acceptance_of(counts, label)
    return {
        "label": label,
        "candidates": _sum_of(counts.made, label),
        "accepted": _sum_of(counts.accepted, label),
        "rejected": {kind: n for (name, kind), n in counts.rejected.items() if name == label},
        "acceptance": None if share is None else round(share, 4),
    }


def snapshot_record(snapshot: RunSnapshot) -> dict[str, Any]:
    """Return a snapshot as JSON values."""
    counts = snapshot.counts
    judged = snapshot.accepted + snapshot.rejected
    return {
        "run": snapshot.run_id,
        "state": snapshot.state,
        "pause_reason": snapshot.pause_reason,
        "age_s": round(snapshot.age_s, 1),
        "eta_s": None if snapshot.eta_s is None else round(snapshot.eta_s, 1),
        "share": None if snapshot.share is None else round(snapshot.share, 4),
        "batches": {"done": counts.batches_done, "all": counts.batches},
        "candidates": snapshot.made,
        "accepted": snapshot.accepted,
        "rejected": snapshot.rejected,
        "acceptance": round(snapshot.accepted / judged, 4) if judged else None,
        "quarantined": snapshot.quarantined,
        "images_per_min": snapshot.images_per_min,
        "accepted_per_min": snapshot.accepted_per_min,
        "waits_for": counts.waits_for,
        "labels": [_label_record(counts, label) for label in labels_of(counts)],
        "steps": [asdict(count) for count in counts.steps],
        "workers": [asdict(held) for held in snapshot.held_steps],
        "failures": [asdict(failure) for failure in snapshot.failures],
        "problems": snapshot.problems and problems_record(snapshot.problems),
    }
