"""Metrics in Prometheus' format, computed from rows and cached."""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from prometheus_client import Metric
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from chatgenimage.db.metrics import (
    QueueNumbers,
    RunNumbers,
    StepTotals,
    count_queues,
    count_run,
    count_steps,
    list_shown_runs,
)
from chatgenimage.db.models import Run
from chatgenimage.db.session import Sessions, reading
from chatgenimage.db.states import RunState
from chatgenimage.tasks.chain import QUEUES

FRESH_S = 5.0
PATIENCE_S = 2.0
MOST_SHARE = 0.1
"""Largest share of time spent on reading: slow reads are done less often."""
MOST_RUNS = 20
MOST_LABELS = 100
OTHERS = "(others)"
"""Combines a run's labels that are not among the most frequent."""


class FactoryCollector(Collector):
    """Collects the metrics of active runs and of the latest runs.

    The database is read in the background: while a read is slow, the cached metrics are returned.

    Args:
        sessions: Sessions of the database.
        fresh_s: Seconds for which metrics are cached.
        patience_s: Longest wait of a scraper for new metrics, if there are cached ones.
    """

    def __init__(
        self, sessions: Sessions, *, fresh_s: float = FRESH_S, patience_s: float = PATIENCE_S
    ) -> None:
        self._sessions = sessions
        self._fresh_s = fresh_s
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._reader = ThreadPoolExecutor(max_workers=1)
        self._reading: Future[list[Metric]] | None = None
        self._kept: list[Metric] = []
        self._read_at = time.monotonic()
        self._fresh_until = 0.0
        self._steps_of_done: dict[tuple[int, float | None], tuple[StepTotals, ...]] = {}

    def collect(self) -> Iterator[Metric]:
        """Yield the last metrics and their age; if the database does not answer, `up` is 0."""
        with self._lock:
            if self._reading is None and time.monotonic() >= self._fresh_until:
                self._reading = self._reader.submit(self._read)
            if self._reading is not None:
                self._take(self._reading)
            yield from self._kept
            yield _age(time.monotonic() - self._read_at)

    def describe(self) -> list[Metric]:
        """Return nothing, so that registering does not read the database."""
        return []

    def _take(self, reading: Future[list[Metric]]) -> None:
        """Cache the result of a read, unless it takes longer than `patience_s`."""
        try:
            self._kept = reading.result(self._patience_s if self._kept else None)
        except TimeoutError:
            return
        finally:
            self._reading = None if reading.done() else reading
        self._read_at = time.monotonic()

    def _read(self) -> list[Metric]:
        """Return all metrics, read now; if the database is away, only that it is."""
        began = time.monotonic()
        try:
            with reading(self._sessions) as session:
                shown = list_shown_runs(session, MOST_RUNS)
                runs = [count_run(session, run, self._steps_of(session, run)) for run in shown]
                queues = count_queues(session)
        except DBAPIError:
            return [_up(0)]
        took_s = time.monotonic() - began
        self._fresh_until = time.monotonic() + max(self._fresh_s, took_s / MOST_SHARE)
        return [_up(1), _reading_seconds(took_s), *_of_queues(queues), *_of_runs(runs)]

    def _steps_of(self, session: Session, run: Run) -> tuple[StepTotals, ...]:
        """Return a run's steps; those of a finished run do not change and are read once."""
        if run.state != RunState.DONE:
            return count_steps(session, run.id)
        key = (run.id, run.finished_at)
        if key not in self._steps_of_done:
            self._steps_of_done[key] = count_steps(session, run.id)
        return self._steps_of_done[key]


def _age(seconds: float) -> Metric:
    text = "Seconds since these metrics were read from the database."
    return GaugeMetricFamily("factory_metrics_age_seconds", text, seconds)


def _up(value: int) -> Metric:
    return GaugeMetricFamily(
        "factory_database_up", "1 if the database answers; if 0, other metrics are missing.", value
    )


def _reading_seconds(took_s: float) -> Metric:
    text = "Seconds that reading these metrics from the database took."
    return GaugeMetricFamily("factory_metrics_reading_seconds", text, took_s)


def _of_queues(queues: dict[str, QueueNumbers]) -> list[Metric]:
    waiting = GaugeMetricFamily(
        "factory_queue_steps",
        "Queued steps of a role: waiting, or running in a worker.",
        labels=("role", "state"),
    )
    oldest = GaugeMetricFamily(
        "factory_queue_age_seconds",
        "Seconds that the oldest step of a role has waited.",
        labels=("role",),
    )
    for role in dict.fromkeys(QUEUES.values()):
        numbers = queues.get(role, QueueNumbers(0, 0, 0.0))
        waiting.add_metric((role, "waiting"), numbers.waiting)
        waiting.add_metric((role, "running"), numbers.running)
        oldest.add_metric((role,), numbers.oldest_s)
    return [waiting, oldest]


def _of_runs(runs: Sequence[RunNumbers]) -> list[Metric]:
    return [
        _state(runs),
        _candidates(runs),
        _batches(runs),
        *_steps(runs),
        *_gpu(runs),
        *_language(runs),
    ]


def _state(runs: Sequence[RunNumbers]) -> Metric:
    state = GaugeMetricFamily(
        "factory_run_info", "Runs in these metrics, with their state.", labels=("run", "state")
    )
    for run in runs:
        state.add_metric((str(run.run_id), run.state), 1)
    return state


def _candidates(runs: Sequence[RunNumbers]) -> Metric:
    candidates = GaugeMetricFamily(
        "factory_candidates",
        "Candidates by label, origin, verdict (waiting: not judged yet) and reason.",
        labels=("run", "label", "origin", "verdict", "reason"),
    )
    for run in runs:
        for key, count in _merge_rare_labels(run).items():
            candidates.add_metric((str(run.run_id), *key), count)
    return candidates


def _merge_rare_labels(run: RunNumbers) -> Counter[tuple[str, str, str, str]]:
    made: Counter[str] = Counter()
    for label, *_, count in run.outcomes:
        made[label] += count
    shown = {label for label, _ in made.most_common(MOST_LABELS)}
    merged: Counter[tuple[str, str, str, str]] = Counter()
    for label, origin, verdict, reason, count in run.outcomes:
        merged[label if label in shown else OTHERS, origin, verdict, reason] += count
    return merged


def _batches(runs: Sequence[RunNumbers]) -> Metric:
    batches = GaugeMetricFamily("factory_batches", "Batches by state.", labels=("run", "state"))
    for run in runs:
        for state, count in run.batches.items():
            batches.add_metric((str(run.run_id), state), count)
    return batches


def _steps(runs: Sequence[RunNumbers]) -> list[Metric]:
    labels = ("run", "step")
    seconds = SummaryMetricFamily(
        "factory_item_seconds",
        "Model time per item (an image or a language model request).",
        labels=labels,
    )
    retries = CounterMetricFamily("factory_retries", "Retries of items.", labels=labels)
    quarantined = GaugeMetricFamily(
        "factory_quarantined_items", "Items that were given up.", labels=labels
    )
    gpu_peak = GaugeMetricFamily(
        "factory_gpu_memory_peak_bytes",
        "Peak CUDA memory of tensors in one model batch; absent without a CUDA device.",
        labels=labels,
    )
    for run in runs:
        for step in run.steps:
            key = (str(run.run_id), step.step)
            seconds.add_metric(key, step.timed, step.seconds)
            retries.add_metric(key, step.retries)
            quarantined.add_metric(key, step.quarantined)
            if step.gpu_peak_bytes is not None:
                gpu_peak.add_metric(key, step.gpu_peak_bytes)
    return [seconds, retries, quarantined, gpu_peak]


def _gpu(runs: Sequence[RunNumbers]) -> list[Metric]:
    seconds = CounterMetricFamily(
        "factory_gpu_seconds", "Model time of all roles except language.", labels=("run",)
    )
    yielded = GaugeMetricFamily(
        "factory_accepted_per_gpu_hour",
        "Accepted candidates per hour of factory_gpu_seconds.",
        labels=("run",),
    )
    for run in runs:
        seconds.add_metric((str(run.run_id),), run.gpu_s)
        if run.gpu_s:
            yielded.add_metric((str(run.run_id),), run.accepted / run.gpu_s * 3600)
    return [seconds, yielded]


def _language(runs: Sequence[RunNumbers]) -> list[Metric]:
    calls = CounterMetricFamily(
        "factory_llm_calls", "Calls of the language model.", labels=("run",)
    )
    tokens = CounterMetricFamily(
        "factory_llm_tokens", "Tokens of paid language model calls.", labels=("run", "kind")
    )
    cost = CounterMetricFamily(
        "factory_llm_cost", "Cost in the currency of the profile's prices.", labels=("run",)
    )
    for run in runs:
        name, spent = str(run.run_id), run.spending
        calls.add_metric((name,), spent.calls)
        tokens.add_metric((name, "prompt"), spent.prompt_tokens)
        tokens.add_metric((name, "completion"), spent.completion_tokens)
        cost.add_metric((name,), spent.cost)
    return [calls, tokens, cost]
