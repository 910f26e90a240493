"""The factory's numbers in Prometheus' format, read from rows and kept for a while."""

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
"""Most of the time that may go into reading: where that takes long, it is done seldom."""
MOST_RUNS = 20
MOST_LABELS = 100
OTHERS = "(others)"
"""Stands for the labels of a run beyond the most frequent."""


class FactoryCollector(Collector):
    """Reads the numbers of the runs that go on and of the last ones.

    Reading is done beside: where it takes long, what was read before is told meanwhile.

    Args:
        sessions: Of the database.
        fresh_s: How long an answer is kept.
        patience_s: Longest that a scraper waits for fresh numbers, if there are older ones.
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
        """Yield what was read last, and how old it is; a database that is away yields `up` 0."""
        with self._lock:
            if self._reading is None and time.monotonic() >= self._fresh_until:
                self._reading = self._reader.submit(self._read)
            if self._reading is not None:
                self._take(self._reading)
            yield from self._kept
            yield _age(time.monotonic() - self._read_at)

    def describe(self) -> list[Metric]:
        """Return nothing: registering reads no database."""
        return []

    def _take(self, reading: Future[list[Metric]]) -> None:
        """Keep what is read, unless that takes longer than a scraper should wait."""
        try:
            self._kept = reading.result(self._patience_s if self._kept else None)
        except TimeoutError:
            return
        finally:
            self._reading = None if reading.done() else reading
        self._read_at = time.monotonic()

    def _read(self) -> list[Metric]:
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
        """Return a run's steps; those of a run that is done do not change, and are read once."""
        if run.state != RunState.DONE:
            return count_steps(session, run.id)
        key = (run.id, run.finished_at)
        if key not in self._steps_of_done:
            self._steps_of_done[key] = count_steps(session, run.id)
        return self._steps_of_done[key]


def _age(seconds: float) -> Metric:
    text = "For how long these numbers have been kept."
    return GaugeMetricFamily("factory_metrics_age_seconds", text, seconds)


def _up(value: int) -> Metric:
    return GaugeMetricFamily(
        "factory_database_up", "Whether the database answers; if not, nothing else is told.", value
    )


def _reading_seconds(took_s: float) -> Metric:
    text = "How long it took to read these numbers from the database."
    return GaugeMetricFamily("factory_metrics_reading_seconds", text, took_s)


def _of_queues(queues: dict[str, QueueNumbers]) -> list[Metric]:
    waiting = GaugeMetricFamily(
        "factory_queue_steps",
        "Steps of a role in flight, by whether a worker holds them.",
        labels=("role", "state"),
    )
    oldest = GaugeMetricFamily(
        "factory_queue_age_seconds",
        "For how long the oldest step of a role has waited.",
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
        "factory_run_info", "The runs that are told of, and their state.", labels=("run", "state")
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
        "factory_item_seconds", "Model time of one item (an image, or a question).", labels=labels
    )
    retries = CounterMetricFamily(
        "factory_retries", "Tries of items beyond the first.", labels=labels
    )
    quarantined = GaugeMetricFamily(
        "factory_quarantined_items", "Items that were given up.", labels=labels
    )
    gpu_peak = GaugeMetricFamily(
        "factory_gpu_memory_peak_bytes",
        "Most that tensors took of a CUDA device in one pass; not told without one.",
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
        "factory_gpu_seconds", "Model time of every role but the language one.", labels=("run",)
    )
    yielded = GaugeMetricFamily(
        "factory_accepted_per_gpu_hour", "Accepted candidates per hour of it.", labels=("run",)
    )
    for run in runs:
        seconds.add_metric((str(run.run_id),), run.gpu_s)
        if run.gpu_s:
            yielded.add_metric((str(run.run_id),), run.accepted / run.gpu_s * 3600)
    return [seconds, yielded]


def _language(runs: Sequence[RunNumbers]) -> list[Metric]:
    calls = CounterMetricFamily(
        "factory_llm_calls", "Questions to the language model.", labels=("run",)
    )
    tokens = CounterMetricFamily(
        "factory_llm_tokens", "Tokens that were paid for.", labels=("run", "kind")
    )
    cost = CounterMetricFamily(
        "factory_llm_cost", "In the currency of the profile's prices.", labels=("run",)
    )
    for run in runs:
        name, spent = str(run.run_id), run.spending
        calls.add_metric((name,), spent.calls)
        tokens.add_metric((name, "prompt"), spent.prompt_tokens)
        tokens.add_metric((name, "completion"), spent.completion_tokens)
        cost.add_metric((name,), spent.cost)
    return [calls, tokens, cost]
