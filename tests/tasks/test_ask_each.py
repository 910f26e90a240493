"""Imagine and place for a batch of eight: asked at once, stored and paid for as one by one."""

import json
import re
import threading
import time

import pytest
from sqlalchemy import select, text

from chatgenimage.db import delivery
from chatgenimage.db.models import Item, LlmCall, Placement, Run, Scene
from chatgenimage.db.states import ItemState, Origin, RunState
from chatgenimage.factory.llm_cache import DatabaseLlmCache
from chatgenimage.tasks import resources
from chatgenimage.tasks.edit import IMAGINE
from chatgenimage.tasks.fill import PLACE
from chatgenimage.tasks.options import DeliveryOptions
from chatgenimage.tasks.resources import Resources
from chatgenimage.tasks.step import ChainEnds, run_step
from chatgenimage.workers.llm.openai import OpenAiLanguageModel
from tests import rows
from tests.loopback import Loopback, fails, says

SIZE = 8
ANSWER_S = 0.05
WAIT_S = 60
PRICE = {"prompt_price": 1e6 / 18, "completion_price": 1e6 / 18}
"""At this price an answer of the loopback server costs 1."""


class Server(Loopback):
    """Answers each question after a while; knows how many it answered at the same time.

    After the first `alone` questions, the answers wait until `together` questions are there.
    """

    def __init__(self, failures=None, together=1, alone=0):
        super().__init__(self.answer)
        self.failures = failures or {}
        self.peak = self._now = 0
        self.before = lambda: None
        self._lock = threading.Lock()
        self._together, self._alone = together, alone
        self._are_together = threading.Event()

    def answer(self, request):
        with self._lock:
            self._now += 1
            self.peak = max(self.peak, self._now)
            if self._now >= self._together:
                self._are_together.set()
        if len(self.requests) > self._alone:
            self._are_together.wait(WAIT_S)
        self.before()
        number = int(re.findall(r"dog number (\d)", request["messages"][-1]["content"])[-1])
        time.sleep(ANSWER_S * (1 + (7 * number) % 3 / 5))  # the first is not the first to come
        with self._lock:
            self._now -= 1
        if failure := self.failures.pop(number, None):
            return failure
        place, boxed = f"field {number}", {"label": "ball", "relationship": "by a dog"}
        kind = request["response_format"]["json_schema"]["name"]
        if kind == "placements":
            boxes = [[300 + 9 * number, 300, 420, 420], [20, 20, 120, 120]]
            return says(json.dumps({"placements": [{**boxed, "box": box} for box in boxes]}))
        scene = {"background": place, "objects": ["dog", "ball"], "description": f"a dog, {place}"}
        return says(json.dumps({"scenes": [scene, {**scene, "background": f"old {place}"}]}))


def add_batch(place, **columns):
    """Add a batch with eight accepted candidates and an edit of each, for both steps."""
    with place.sessions.begin() as session:
        batch = rows.batch_of(session, rows.add_run(session, **columns))
        for number in range(SIZE):
            dog = ("dog", "brown", (40.0, 2.0, 60.0, 22.0))
            said = {"caption": f"dog number {number}", "seed": number}
            parent = rows.add_candidate(place, session, batch, [dog], key=f"g{number}", **said)
            scene = Scene(candidate_id=parent.id, index=9, background="a place", description="")
            scene.objects = ["dog", "ball"]
            session.add(scene)
            session.flush()
            edited = {"origin": Origin.EDITED, "round": 1, "verdict": None, "scene_id": scene.id}
            edited |= {"key": f"g{number}/e0", "parent": parent}
            rows.add_candidate(place, session, batch, [dog], **said, **edited)
        rows.add_steps(session, batch, ("imagine", "place"))
        session.execute(text("UPDATE step SET round = 1, queue = 'language'"))
        return batch.id


def work_on(place, server, batch_id, works=(IMAGINE, PLACE), **config):
    config = server.config(**{**PRICE, "max_retries": 0, **config})
    model = OpenAiLanguageModel.load(config, DatabaseLlmCache(place.sessions, place.images))
    options = DeliveryOptions(max_attempts=3, max_backoff_s=0.0)
    resources.use(Resources(place.sessions, place.images, [model], options, "me@here#1"))
    for work in works:
        run_step(work, batch_id)


def stored(place):
    """Return what the answers became, and the ledger, as they were written."""
    with place.sessions() as session:
        scenes = select(Scene.candidate_id, Scene.index, Scene.background).where(Scene.index < 9)
        places = select(Placement.candidate_id, Placement.index, Placement.x_min)
        calls = select(LlmCall.subject_id, LlmCall.question, LlmCall.cost, LlmCall.request_key)
        return [
            [tuple(row) for row in session.execute(found.order_by(order))]
            for found, order in (
                (scenes, Scene.id),
                (places, Placement.id),
                (calls, LlmCall.id),
            )
        ]


def run_of(place):
    with place.sessions() as session:
        return session.scalars(select(Run)).one()


@pytest.mark.parametrize("most", [1, 3, SIZE])
def test_a_batch_is_asked_about_at_once_up_to_the_limit_and_stored_in_order(place, most):
    batch_id = add_batch(place)
    with Server(together=most) as server:
        work_on(place, server, batch_id, max_concurrency=most)
        assert server.peak == most
    scenes, placements, calls = stored(place)
    assert [row[2] for row in scenes] == [
        f"{old}field {number}" for number in range(SIZE) for old in ("", "old ")
    ]
    assert len(placements) == 2 * SIZE
    assert [row[0] for row in placements] == sorted(row[0] for row in placements)
    assert [row[1] for row in calls] == ["scenes"] * SIZE + ["placements"] * SIZE
    assert len({row[3] for row in calls}) == 2 * SIZE
    assert run_of(place).spent == pytest.approx(2 * SIZE)


def test_one_refused_answer_costs_its_item_alone(place):
    batch_id = add_batch(place)
    with Server({3: fails(403)}) as server:
        work_on(place, server, batch_id, [IMAGINE], reuse_answers=False)
        assert len(server.requests) == SIZE
    with place.sessions() as session:
        states = session.scalars(select(Item.state).order_by(Item.id)).all()
        assert len(session.scalars(select(LlmCall.id)).all()) == SIZE
    assert [state == ItemState.QUARANTINED for state in states] == [n == 3 for n in range(SIZE)]


def test_an_overloaded_server_costs_no_attempt_and_no_answer_that_came(place):
    batch_id = add_batch(place)
    busy = {2: fails(429), 5: fails(503)}
    with Server(busy) as server:
        with pytest.raises(ChainEnds):
            work_on(place, server, batch_id, [IMAGINE], reuse_answers=False)
        with place.sessions() as session:
            items = session.execute(select(Item.state, Item.attempts).order_by(Item.id)).all()
            assert len(session.scalars(select(LlmCall.id)).all()) == SIZE
        assert [tuple(row) for row in items] == [
            (ItemState.READY, 0) if number in (2, 5) else (ItemState.DONE, 1)
            for number in range(SIZE)
        ]
        work_on(place, server, batch_id, [IMAGINE], reuse_answers=False)
        assert len(server.requests) == SIZE + 2
    assert run_of(place).spent == pytest.approx(SIZE)
    assert len(stored(place)[0]) == 2 * SIZE


def test_a_step_that_is_asked_to_stop_stores_every_answer_and_failure_that_came(place):
    batch_id = add_batch(place)

    def stop():
        with place.sessions.begin() as session:
            delivery.request_stop(session, "me@here#1")

    with Server({1: fails(403), 4: fails(503)}) as server:
        server.before = stop
        with pytest.raises(ChainEnds):
            work_on(place, server, batch_id, [IMAGINE], max_concurrency=6, reuse_answers=False)
        assert len(server.requests) == 6
    with place.sessions() as session:
        assert len(session.scalars(select(LlmCall.id)).all()) == 6
        states = session.scalars(select(Item.state).order_by(Item.id)).all()
    assert states.count(ItemState.DONE) == 4
    assert states.count(ItemState.QUARANTINED) == 1
    assert run_of(place).spent == pytest.approx(4)


@pytest.mark.parametrize("budget", [2.5, 5.0])
def test_a_budget_is_exceeded_by_at_most_one_item(place, budget):
    batch_id = add_batch(place, budget=budget)
    with Server() as server, pytest.raises(ChainEnds):
        work_on(place, server, batch_id, [IMAGINE])
    run = run_of(place)
    assert run.state == RunState.PAUSED
    assert budget <= run.spent <= budget + 1
    assert len(stored(place)[2]) == round(run.spent)


def test_the_first_item_of_a_run_with_a_budget_is_asked_about_alone(place):
    batch_id = add_batch(place, budget=100.0)
    with Server(together=SIZE - 1, alone=1) as server:
        work_on(place, server, batch_id, [IMAGINE])
        assert server.peak == SIZE - 1
