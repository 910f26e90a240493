"""Scenario: one run with faults at random, seeded times until it is done."""

import random
import time
from collections import Counter
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from chatgenimage.db.models import Batch, Item, Run, Step
from chatgenimage.db.session import reading
from chatgenimage.db.states import BatchState, ItemState, RunState, StepState

POLL_S = 0.1
PATIENCE_S = 300
"""A run without progress for longer than this counts as stuck."""
MOST_PAUSE_S = 1.5
ALONE_SHARE = 0.6
RECOVERY_PATIENCE_S = 20
AWAKE_S = 1.0


@dataclass
class Fault:
    """A fault that occurred.

    Attributes:
        kind: Name of its kind in the table.
        step: Name of the affected step; None if no step was running.
        struck_at: Epoch seconds.
        step_ids: Ids of the affected steps.
        recovered_s: Seconds until the first of those steps was done; None if another fault
            occurred in between.
    """

    kind: str
    step: str | None
    struck_at: float
    step_ids: list[int]
    recovered_s: float | None = None


class Stuck(Exception):
    """The run makes no progress."""


class Scenario:
    """Plays a deck of faults over a deployment.

    Args:
        deployment: A fresh one.
        seed: Seed of the order, times and targets of the faults.
        deck: Faults by kind.
        most: Maximum number of faults after the submission.
        submit_kills: Maximum number of times that `factory submit` is killed before it succeeds.
        postgres, proxy, endpoint: Targets of the faults of their kinds.
        patience_s: Maximum time without progress.
        alone_share: Share of the faults that get time until the affected step is done.
        struck_before: Number of earlier faults by kind: the rarest come first.
        say: Takes one line per fault.
    """

    def __init__(
        self, deployment, seed, deck, *, most, submit_kills=2, postgres=None, proxy=None,
        endpoint=None, patience_s=PATIENCE_S, alone_share=ALONE_SHARE, struck_before=None,
        say=print,
    ):  # fmt: skip
        self.deployment = deployment
        self.random = random.Random(seed)
        self.postgres = postgres
        self.proxy = proxy
        self.endpoint = endpoint
        self.faults = []
        self._deck = deck
        self._most = most
        self._submit_kills = submit_kills
        self._patience_s = patience_s
        self._alone_share = alone_share
        self._struck_before = struck_before or Counter()
        self._say = say
        self._later = []
        self._started = time.monotonic()
        self._moved = (None, self._started)

    def play(self):
        """Submit, cause faults, and return when the run is done.

        Raises:
            Stuck: If it does not end.
        """
        if not self.deployment.is_one_command:
            self._submit()
        kinds, struck = [], 0
        while not self.is_over():
            self._tick()
            if struck < self._most and self._works():
                kinds = kinds or self._shuffle()
                struck += self._strike(kinds.pop())
                self._pause()
        self._wake_all()
        self._measure()

    def _shuffle(self):
        """Return every kind once, the rarest last: faults are taken from the end."""
        kinds = self.random.sample(list(self._deck), len(self._deck))
        return sorted(kinds, key=lambda kind: -self._struck_before[kind])

    def later(self, seconds, action):
        """Run an action later."""
        self._later.append((time.monotonic() + seconds, action))

    def wait_for(self, condition, patience_s=PATIENCE_S):
        """Return the result of the condition once it is true, or None; the service continues."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            if found := condition():
                return found
            if self.is_over():
                return None
            self._tick()
        return None

    def is_over(self):
        """Return whether the run is done."""
        states = self._ask(select(Run.state))
        return bool(states) and all(row.state == RunState.DONE for row in states)

    def _submit(self):
        """Submit repeatedly, as a person does whose terminal is killed, until it succeeds."""
        for _ in range(self._submit_kills):
            if self.deployment.submit(self.random.uniform(0.2, 4.0)):
                return
            self._note("kill -9 factory submit", "submit", [])
        assert self.deployment.submit(), "factory submit failed; see submit.log"

    def _works(self):
        """Return whether a step is running or ready."""
        return bool(self._ask(select(Step.id).limit(1)))

    def _strike(self, kind):
        """Return whether the fault found a target."""
        struck_at = time.time()
        struck = self._deck[kind](self)
        if struck is not None:
            batch_id = struck.batch_id
            self._note(kind, struck.step, self._current_steps(batch_id), struck_at)
        return struck is not None

    def _pause(self):
        """Wait a moment, or until the affected step is done: some faults overlap, others do not."""
        until = time.monotonic() + self.random.uniform(0, MOST_PAUSE_S)
        self.wait_for(lambda: time.monotonic() > until)
        if self.faults and self.random.random() < self._alone_share:
            self.wait_for(lambda: self._has_recovered(self.faults[-1]), RECOVERY_PATIENCE_S)

    def _has_recovered(self, fault):
        done = select(Step.id).where(Step.state == StepState.DONE, Step.id.in_(fault.step_ids))
        return not fault.step_ids or bool(self._ask(done))

    def _note(self, kind, step, step_ids, struck_at=None):
        self.faults.append(Fault(kind, step, struck_at or time.time(), step_ids))
        since = time.monotonic() - self._started
        self._say(f"{since:7.1f} s  {kind:36} {step or '-'}")

    def _current_steps(self, batch_id):
        """Return the first open step of the batch, or of every batch in flight."""
        in_flight = select(Batch.id).where(Batch.state == BatchState.IN_FLIGHT)
        wanted = [batch_id] if batch_id else in_flight
        first = (
            select(func.min(Step.id))
            .where(Step.state != StepState.DONE, Step.batch_id.in_(wanted))
            .group_by(Step.batch_id)
        )
        return [row[0] for row in self._ask(first)]

    def _wake_all(self):
        """Wait until frozen processes are awake and had time to write: they may change nothing."""
        while self._later:
            self._do_what_is_due()
            time.sleep(POLL_S)
        time.sleep(AWAKE_S)

    def _tick(self):
        self.deployment.keep_alive()
        self._do_what_is_due()
        self._watch()
        time.sleep(POLL_S)

    def _do_what_is_due(self):
        due = [entry for entry in self._later if entry[0] <= time.monotonic()]
        for entry in due:
            self._later.remove(entry)
            entry[1]()

    def _watch(self):
        """Raise Stuck if there is no progress."""
        moved = self._ask(
            select(
                select(func.count()).where(Step.state == StepState.DONE).scalar_subquery(),
                select(func.count()).where(Item.state == ItemState.DONE).scalar_subquery(),
            )
        )
        before, since = self._moved
        if moved and moved != before:
            self._moved = (moved, time.monotonic())
        elif time.monotonic() - since > self._patience_s:
            raise Stuck(f"nothing moved for {self._patience_s} s; done so far: {before}")

    def _measure(self):
        """Find in the rows when the affected steps were done."""
        finished = dict(map(tuple, self._ask(select(Step.id, Step.finished_at))))
        ends = [*(fault.struck_at for fault in self.faults[1:]), float("inf")]
        for fault, next_at in zip(self.faults, ends, strict=True):
            done_at = min((finished[step_id] for step_id in fault.step_ids), default=None)
            if done_at is not None and done_at < next_at:
                fault.recovered_s = max(0.0, done_at - fault.struck_at)

    def _ask(self, query):
        """Return rows; none while the database is away because of a fault."""
        try:
            with reading(self.deployment.sessions) as session:
                return session.execute(query).all()
        except OperationalError:
            return []
