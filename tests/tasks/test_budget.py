"""Budget of a run: many threads against a slow server with prices spend no more than it allows."""

import dataclasses
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, text, update

from chatgenimage.db import delivery, spending
from chatgenimage.db.clock import now
from chatgenimage.db.models import Batch, Item, Run, Step
from chatgenimage.db.states import ItemState, RunState, StepState
from chatgenimage.tasks import resources, step
from chatgenimage.tasks.brainstorm import BRAINSTORM
from chatgenimage.tasks.options import DeliveryOptions
from chatgenimage.tasks.resources import Resources
from chatgenimage.tasks.step import ChainEnds, run_step
from chatgenimage.workers.llm.openai import OpenAiLanguageModel
from tests import rows
from tests.loopback import Loopback, says
from tests.tasks.toy import Toy

THREADS = 8
WAIT_S = 120
LATE_S = 2.0
LABELS = [f"dog{number}" for number in range(2 * THREADS)]
PRICES = dict.fromkeys(("prompt_price", "completion_price"), 1e6 / (11 + 7))
"""At these, an answer of the loopback server costs 1, and an item 2: features and prompts."""
ITEM_COST = 2.0
ITEM_TOKENS = 2 * (11 + 7)


class SlowServer:
    """Answers after a while; counts how many it answers at the same time.

    It answers later, but in time, while it never had `together` questions at the same time: a busy
    machine may need a while until they are there.
    """

    def __init__(self, together=1):
        self.peak = self._now = 0
        self._lock = threading.Lock()
        self._together, self._are_together = together, threading.Event()

    def __call__(self, request):
        with self._lock:
            self._now += 1
            self.peak = max(self.peak, self._now)
            if self._now >= self._together:
                self._are_together.set()
        self._are_together.wait(LATE_S)
        time.sleep(0.1)
        with self._lock:
            self._now -= 1
        question = request["messages"][-1]["content"]
        if "visual features" in question:
            return says('{"features": ["golden fur", "floppy ears"]}')
        label = next(name for name in reversed(LABELS) if name in question)
        return says(json.dumps({"prompts": [f"a {label} on a beach"]}))


def add_run(place, **columns):
    with place.sessions.begin() as session:
        run = rows.add_run(session, LABELS, **columns)
        batches = rows.batches_of(session, run)
        for batch in batches:
            rows.add_steps(session, batch)
        session.execute(text("UPDATE step SET queue = 'language'"))
        return [batch.id for batch in batches]


def work_on(place, server, batch_ids, **prices):
    """Send the batches' messages to eight threads, again and again while there is work."""
    model = OpenAiLanguageModel.load(server.config(**prices), None)
    options = DeliveryOptions(max_attempts=3, max_backoff_s=0.0)
    resources.use(Resources(place.sessions, place.images, [model], options, "me@here#1"))

    def deliver(batch_id):
        try:
            run_step(BRAINSTORM, batch_id)
        except ChainEnds:
            time.sleep(0.05)

    deadline = time.monotonic() + WAIT_S
    with ThreadPoolExecutor(THREADS) as threads:
        while open_batches := set(left(place)) & set(batch_ids):
            assert time.monotonic() < deadline
            list(threads.map(deliver, open_batches))


def left(place):
    unfinished = (
        select(Step.batch_id)
        .join(Batch, Batch.id == Step.batch_id)
        .join(Run, Run.id == Batch.run_id)
        .where(Step.name == "brainstorm", Step.state != StepState.DONE)
        .where(Run.state == RunState.ACTIVE)
    )
    with place.sessions() as session:
        return session.scalars(unfinished.order_by(Step.batch_id)).all()


def run_of(place):
    with place.sessions() as session:
        return session.scalars(select(Run)).one()


def test_eight_threads_exceed_the_budget_by_at_most_one_item(place):
    batch_ids = add_run(place, budget=3.0)
    with Loopback(SlowServer()) as server:
        work_on(place, server, batch_ids, **PRICES)
    run = run_of(place)
    assert run.state == RunState.PAUSED
    assert 3.0 <= run.spent < 3.0 + ITEM_COST + 1e-9
    with place.sessions() as session:
        assert (
            session.scalars(select(Item.attempts).where(Item.state == ItemState.READY)).all() == []
        )
        idle = select(Step.attempts).where(Step.name == "brainstorm", Step.state != StepState.DONE)
        assert set(session.scalars(idle)) == {0}


def test_a_budget_of_tokens_needs_no_prices_and_is_exceeded_by_at_most_one_item(place):
    batch_ids = add_run(place, token_budget=3 * ITEM_TOKENS // 2)
    with Loopback(SlowServer()) as server:
        work_on(place, server, batch_ids)
    run = run_of(place)
    assert run.state == RunState.PAUSED
    assert run.pause_reason == "its budget of 54 tokens is spent (72)"
    assert (run.spent, run.spent_tokens, run.longest_item_tokens) == (0.0, 72, ITEM_TOKENS)


@pytest.mark.parametrize(
    ("budget", "prices"), [(1000.0, PRICES), (3.0, {}), (None, PRICES)], ids=str
)
def test_as_many_run_at_once_as_the_budget_allows(place, monkeypatch, budget, prices):
    monkeypatch.setattr(step, "BUDGET_WAIT_S", 0.1)
    batch_ids = add_run(place, budget=budget)
    slow = SlowServer(together=THREADS // 2 + 1)
    with Loopback(slow) as server:
        work_on(place, server, batch_ids, **prices)
    assert slow.peak > THREADS // 2
    assert run_of(place).spent == pytest.approx(len(LABELS) * ITEM_COST if prices else 0)


def test_a_step_with_items_left_is_given_back_when_others_may_spend_the_rest(place):
    first, other, *_ = add_run(place, budget=3.0, costliest_item=1.0)
    toy = Toy()

    def write(session, of_step, inputs, result):
        toy.write(session, of_step, inputs, result)
        spending.spend(session, of_step.batch.run_id, 1.0)

    work = dataclasses.replace(toy.work, write=write, pass_size=1)
    resources.use(Resources(place.sessions, place.images, (), DeliveryOptions(), "me@here#1"))
    with place.sessions.begin() as session:
        held, _ = delivery.claim_step(session, other, "brainstorm", owner="another", lease_s=60)
    with pytest.raises(ChainEnds):
        run_step(work, first)
    assert toy.written == [1, 2]
    with place.sessions.begin() as session:
        assert rows.current_step(session, first).state == StepState.READY
        assert session.get_one(Batch, first).rung_at is None
        delivery.release_step(session, held)
        session.execute(update(Step).values(run_after=0.0))  # the wait is over
    with pytest.raises(ChainEnds):
        run_step(work, first)
    assert toy.written == [1, 2, 3]
    assert run_of(place).state == RunState.PAUSED


def test_a_budget_of_nothing_is_enough_for_a_server_that_costs_nothing(place):
    batch_ids = add_run(place, budget=0.0)
    with Loopback(SlowServer()) as server:
        work_on(place, server, batch_ids[:1])
    assert run_of(place).state == RunState.ACTIVE


def test_the_budget_counts_running_steps_without_a_look_at_all(sqlite_place):
    counting = spending.OTHER_PAID_STEPS.params(
        of_run=1, of_step=1, paid_queues=["language", "diffusion"]
    )
    statement = counting.compile(compile_kwargs={"literal_binds": True})
    with sqlite_place.sessions() as session:
        explained = session.execute(text(f"EXPLAIN QUERY PLAN {statement}"))
        plan = " ".join(row[3] for row in explained)
    assert "ix_step_state" in plan
    assert "SCAN" not in plan


def test_a_plan_that_fails_while_another_step_may_spend_the_rest_is_made_again(place):
    first, other, *_ = add_run(place, budget=3.0, costliest_item=3.0)

    class Sessions:
        """The worker's sessions; another worker takes the budget before the second transaction."""

        begun = 0
        kw = place.sessions.kw

        def __call__(self, **options):
            return place.sessions(**options)

        def begin(self):
            self.begun += 1
            if self.begun == 2:
                with place.sessions.begin() as session:
                    assert delivery.claim_step(
                        session, other, "brainstorm", owner="another", lease_s=60
                    )
            return place.sessions.begin()

    def plan(_session, _step):
        raise ValueError("no plan")

    options = DeliveryOptions(max_attempts=3, max_backoff_s=0.0)
    resources.use(Resources(Sessions(), place.images, (), options, "me@here#1"))
    with pytest.raises(ChainEnds):
        run_step(dataclasses.replace(Toy().work, plan=plan), first)
    with place.sessions() as session:
        found = rows.current_step(session, first)
        assert (found.state, found.attempts, found.error) == (StepState.READY, 0, None)
        assert found.run_after > now(session)
