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
from chatgenimage.factory.progress.label_rows import LabelRows, read_label_rows
from chatgenimage.factory.progress.throughput import WINDOW_S, ProgressSample, Throughput
from chatgenimage.factory.progress.worker_notices import list_notices


@dataclass(frozen=True, slots=True, repr=False)
class RunSnapshot:
    """State of a run at one time.

    Attributes:
        age_s: Seconds from submission until now or until its end.
        eta_s: Estimated seconds left, at the recent rate; None: not known.
        share: Share of the computing that is done, in [0, 1]; None: not known.
        images_per_min: Recent rate of new images; None: not known in a run's first seconds.
        problems: What went wrong; None while the run continues.
        rows: Labels for a screen, if they were asked for.
        notices: What a person must know now, a line each, e.g. that models are loading.
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
    rows: LabelRows | None = None
    notices: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return (
            f"RunSnapshot(run_id={self.run_id}, state={self.state!r}, candidates={self.made}, "
            f"accepted={self.accepted}, rejected={self.rejected}, given up={self.quarantined})"
        )

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


SLOW_S = 1.0
PATIENCE = 5
"""A look that takes longer than `SLOW_S` seconds is repeated after so many times its duration."""


class RunMonitor:
    """Reads a run repeatedly, and so measures its rates.

    Args:
        sessions: To read with.
        run_id: Id of the run.
        by_label: Whether the snapshots have counts for each label (`db.run_progress.overview`).
        starts_workers: Whether this process starts the run's workers itself.
        slow_s: A look that takes longer, in seconds, is repeated after `patience` times as long.
        patience: See `slow_s`.
    """

    def __init__(  # noqa: PLR0913  # all but two have defaults
        self,
        sessions: Sessions,
        run_id: int,
        *,
        by_label: bool = True,
        starts_workers: bool = False,
        slow_s: float = SLOW_S,
        patience: float = PATIENCE,
    ) -> None:
        self._sessions = sessions
        self._run_id = run_id
        self._by_label = by_label
        self._starts_workers = starts_workers
        self._slow_s, self._patience = slow_s, patience
        self._throughput = Throughput()
        self._durations: Mapping[Kind, float] | None = None
        self._last: RunSnapshot | None = None
        self._fresh_until = 0.0

    def look(self, most_labels: int = 0) -> RunSnapshot:
        """Return the run as it is now; `rows` has `most_labels` at most, None for 0.

        If reading takes long, because there are very many labels, the last snapshot is returned
        for four times as long: looking must not take the time of the work.
        """
        began = time.monotonic()
        if self._last is None or began >= self._fresh_until:
            self._last = self._read(most_labels)
            took_s = time.monotonic() - began
            self._fresh_until = began + took_s * (self._patience if took_s > self._slow_s else 1)
        return self._last

    def _read(self, most_labels: int) -> RunSnapshot:
        """Return the state of the run as it is now."""
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
                read_label_rows(session, run.id, most_labels) if most_labels else None,
                list_notices(session, run, starts_workers=self._starts_workers),
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


def _label_records(counts: RunOverview) -> list[dict[str, Any]]:
    """Return the counts of each label; one pass over them, as there may be 100,000 labels."""
    made, accepted = _by_label(counts.made), _by_label(counts.accepted)
    rejected = _by_label(counts.rejected)
    return [
        _label_record(label, made.get(label, {}), accepted.get(label, {}), rejected.get(label, {}))
        for label in labels_of(counts)
    ]


def _by_label(numbers: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (label, kind), number in numbers.items():
        found.setdefault(label, {})[kind] = number
    return found


def _label_record(
    label: str, made: Mapping[str, int], accepted: Mapping[str, int], rejected: Mapping[str, int]
) -> dict[str, Any]:
    """Return the numbers of a label; `acceptance` is a share in [0, 1], or None."""
    good = sum(accepted.values())
    judged = good + sum(rejected.values())
    return {
        "label": label,
        "candidates": sum(made.values()),
        "accepted": good,
        "rejected": rejected,
        "acceptance": round(good / judged, 4) if judged else None,
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
        "notices": list(snapshot.notices),
        "labels": _label_records(counts),
        "steps": [asdict(count) for count in counts.steps],
        "workers": [asdict(held) for held in snapshot.held_steps],
        "failures": [asdict(failure) for failure in snapshot.failures],
        "problems": snapshot.problems and problems_record(snapshot.problems),
    }
