"""Language steps against a server on loopback: what is stored, paid for, and asked again."""

import dataclasses
import json

import pytest
from sqlalchemy import inspect, select, text

from chatgenimage.db import control
from chatgenimage.db.models import (
    Batch,
    Item,
    LlmAnswer,
    LlmCall,
    Notification,
    Prompt,
    Run,
    Scene,
)
from chatgenimage.db.spending import spending
from chatgenimage.db.states import ItemState, RunState
from chatgenimage.factory.llm_cache import DatabaseLlmCache
from chatgenimage.factory.terminal.tables import spending_line
from chatgenimage.tasks import resources
from chatgenimage.tasks.brainstorm import BRAINSTORM
from chatgenimage.tasks.edit import IMAGINE, ParentCandidate, imagine_around, read_parent
from chatgenimage.tasks.options import DeliveryOptions
from chatgenimage.tasks.resources import Resources
from chatgenimage.tasks.step import ChainEnds, run_step
from chatgenimage.workers.errors import AnswerRefused, EndpointUnavailable
from chatgenimage.workers.llm.openai import OpenAiLanguageModel
from chatgenimage.workers.values import Answer, Exchange, ImaginedScene
from tests import rows
from tests.loopback import Loopback, Reply, fails, says

FEATURES = says('{"features": ["golden fur", "floppy ears"]}')
PROMPTS = says('{"prompts": ["a dog on a beach"]}')
SPENT = Reply(
    json.dumps({"choices": None, "error": {"message": "no credit", "code": 402}}).encode()
)
COST = 11 * 1.0 + 7 * 2.0
"""Of one answer of the loopback server at these prices."""


def work_on(place, server, batch_id, work=BRAINSTORM):
    """Do the batch's step as a fresh worker process would."""
    config = server.config(prompt_price=1e6, completion_price=2e6)
    model = OpenAiLanguageModel.load(config, DatabaseLlmCache(place.sessions, place.images))
    options = DeliveryOptions(max_attempts=3, max_backoff_s=0.0)
    resources.use(Resources(place.sessions, place.images, [model], options, "me@here#1"))
    run_step(work, batch_id)


def all_of(place, *columns):
    """Return the columns of all rows of their table, in the order of its primary key."""
    with place.sessions() as session:
        in_order = select(*columns).order_by(*inspect(columns[0].class_).primary_key)
        return [tuple(row) for row in session.execute(in_order)]


def twice(session, step, question, ideas):
    """Write a prompt twice, which the database refuses."""
    BRAINSTORM.write(session, step, question, ideas)
    BRAINSTORM.write(session, step, question, ideas)


def test_odd_text_is_stored_clean(place, toy_batch):
    """Neither database takes all of it as it comes."""
    odd = json.loads(says('{"prompts": ["a dog\\u0000 on a \\ud800 beach\\u001b[0m"]}').body)
    odd["model"] = "m\x00" * 300
    odd["choices"][0]["message"]["reasoning_content"] = "a\x00 plan"
    with Loopback(FEATURES, Reply(json.dumps(odd).encode())) as server:
        work_on(place, server, toy_batch)
    assert all_of(place, Item.state) == [(ItemState.DONE,)]
    assert all_of(place, Prompt.text) == [("a dog on a beach[0m",)]
    assert all_of(place, LlmCall.model, LlmCall.thoughts)[1] == ("m" * 200, "a plan")


def test_an_object_s_name_that_no_column_holds_is_left_out(place):
    with place.sessions.begin() as session:
        batch = rows.batch_of(session, rows.add_run(session))
        rows.add_candidate(place, session, batch, [("dog", "brown", rows.DOG_BOX)])
        rows.add_steps(session, batch, ("imagine",))
        session.execute(text("UPDATE step SET round = 1"))
        batch_id = batch.id
    scene = {"background": "a beach", "objects": ["dog", "x" * 300], "description": "a dog"}
    with Loopback(says(json.dumps({"scenes": [scene, scene]}))) as server:
        work_on(place, server, batch_id, IMAGINE)
    assert all_of(place, Scene.objects) == [(["dog"],), (["dog"],)]


def test_what_cannot_be_stored_is_paid_for_once_and_asked_for_again_by_a_retry(place, toy_batch):
    unwritable = dataclasses.replace(BRAINSTORM, write=twice)
    with Loopback(FEATURES, PROMPTS, FEATURES, PROMPTS) as server:
        work_on(place, server, toy_batch, unwritable)
        [(state, error)] = all_of(place, Item.state, Item.error)
        assert state == ItemState.QUARANTINED
        assert len(server.requests) == 2
        calls = all_of(place, LlmCall.question, LlmCall.problem, LlmCall.is_reused)
        assert [(question, reused) for question, _, reused in calls[:2]] == [
            ("features", False),
            ("prompts", False),
        ]
        assert all("could not be stored: the database refused it" in one[1] for one in calls)
        assert all(reused for _, _, reused in calls[2:])
        assert all_of(place, Run.spent) == [(2 * COST,)]
        assert all_of(place, LlmAnswer.key) == []
        with place.sessions.begin() as session:
            control.retry_quarantined(session, session.scalar(select(Run.id)))
        work_on(place, server, toy_batch)
        assert len(server.requests) == 4
    assert all_of(place, Item.state) == [(ItemState.DONE,)]
    last_line = error.strip().splitlines()[-1]
    assert last_line.startswith("the database refused it: ")
    assert "nique" in last_line.lower()
    assert "sqlalche.me" not in error


def test_a_spent_account_pauses_the_run_like_a_spent_budget(place, toy_batch):
    with Loopback(FEATURES, SPENT, PROMPTS) as server:
        with pytest.raises(ChainEnds):
            work_on(place, server, toy_batch)
        [(state, reason)] = all_of(place, Run.state, Run.pause_reason)
        assert state == RunState.PAUSED
        assert "no credit left" in reason
        assert "Top up the account" in reason
        assert set(all_of(place, Notification.event)) == {("credit_spent",)}
        assert all_of(place, Item.state, Item.attempts) == [(ItemState.READY, 0)]
        calls = all_of(place, LlmCall.question, LlmCall.cost)
        assert calls == [("features", COST), ("prompts", 0.0)]
        with place.sessions.begin() as session:
            control.resume(session, session.scalars(select(Run)).one())
        assert all_of(place, Run.state, Run.pause_reason) == [(RunState.ACTIVE, None)]
        work_on(place, server, toy_batch)
        assert len(server.requests) == 3
    assert all_of(place, Item.state) == [(ItemState.DONE,)]
    assert all_of(place, Run.spent) == [(2 * COST,)]


def test_a_key_that_is_refused_pauses_the_run_and_gives_nothing_up(place, toy_batch):
    with Loopback(FEATURES, fails(401, "Incorrect API key"), PROMPTS) as server:
        refused = "given back; the run is paused: the server does not accept the key$"
        with pytest.raises(ChainEnds, match=refused):
            work_on(place, server, toy_batch)
        [(state, reason)] = all_of(place, Run.state, Run.pause_reason)
        assert state == RunState.PAUSED
        assert "the server does not accept the key" in reason
        assert "OPENAI_API_KEY" in reason
        assert set(all_of(place, Notification.event)) == {("key_refused",)}
        assert all_of(place, Item.state, Item.attempts) == [(ItemState.READY, 0)]
        with place.sessions.begin() as session:
            control.resume(session, session.scalars(select(Run)).one())
        work_on(place, server, toy_batch)
    assert all_of(place, Item.state) == [(ItemState.DONE,)]


def test_a_rate_limit_in_a_body_waits_and_pauses_nothing(place, toy_batch):
    busy = json.dumps({"choices": None, "error": {"message": "slow down", "code": 429}})
    with Loopback(Reply(busy.encode())) as server, pytest.raises(ChainEnds):
        work_on(place, server, toy_batch)
    assert all_of(place, Run.state, Run.pause_reason) == [(RunState.ACTIVE, None)]
    assert all_of(place, Item.state, Item.attempts) == [(ItemState.READY, 0)]


def test_tokens_that_nobody_counted_are_not_taken_for_none(place, toy_batch):
    uncounted = json.loads(PROMPTS.body) | {"usage": {}}
    with Loopback(FEATURES, Reply(json.dumps(uncounted).encode())) as server:
        work_on(place, server, toy_batch)
    assert all_of(place, LlmCall.prompt_tokens, LlmCall.completion_tokens) == [
        (11, 7),
        (None, None),
    ]
    with place.sessions.begin() as session:
        run = session.scalars(select(Run)).one()
        run.budget = 30.0
        spent = spending(session, run)
        told = spending_line(spent).plain
    assert (spent.unknown, spent.prompt_tokens, spent.cost) == (1, 11, COST)
    assert (
        "11 tokens sent, 7 received, cost 25.0000 of 30.00; 1 answers came without a count" in told
    )


class Painter:
    """A language model that imagines the scenes of a list, some at a time."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def imagine_scenes(self, _caption, _objects, count, *, avoid=(), seed, **_):
        self.asked.append((count, list(avoid), seed))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        scenes = tuple(ImaginedScene(place, ("dog",), "a dog") for place in answer)
        return Answer(scenes, (Exchange("scenes", "painter", (), ""),))


PARENT = ParentCandidate(1, "a dog", ("dog",), 3, 7)


def test_scenes_are_imagined_in_the_domain_of_the_batch(place, toy_batch):
    with place.sessions.begin() as session:
        batch = session.get_one(Batch, toy_batch)
        batch.domain = "at night"
        candidate = rows.add_candidate(place, session, batch)
        step = rows.current_step(session, batch.id)
        assert read_parent(session, step, candidate.id).domain == "at night"


def test_scenes_that_are_missing_are_asked_for_again():
    painter = Painter(["a beach"], ["a forest"], ["a room"])
    answer = imagine_around(painter, PARENT)
    assert [scene.background for scene in answer.value] == ["a beach", "a forest", "a room"]
    assert [(count, avoid) for count, avoid, _ in painter.asked] == [
        (3, []),
        (2, ["a beach"]),
        (1, ["a beach", "a forest"]),
    ]
    assert len({seed for *_, seed in painter.asked}) == 3
    assert len(answer.exchanges) == 3


def test_the_scenes_that_came_are_kept_if_the_rest_is_refused():
    refusal = AnswerRefused("no", [Exchange("scenes", "painter", (), "")])
    answer = imagine_around(Painter(["a beach"], refusal), PARENT)
    assert (len(answer.value), len(answer.exchanges)) == (1, 2)
    with pytest.raises(AnswerRefused):
        imagine_around(Painter(refusal), PARENT)


def test_what_was_paid_for_before_the_server_went_away_is_kept():
    with pytest.raises(EndpointUnavailable) as caught:
        imagine_around(Painter(["a beach"], EndpointUnavailable("gone")), PARENT)
    assert len(caught.value.exchanges) == 1


def test_a_server_that_gives_one_prompt_at_a_time_fills_the_batch(place, toy_batch):
    with place.sessions.begin() as session:
        session.execute(text("UPDATE batch SET size = 5"))
    backgrounds = iter(["at sea", "on a beach", "in a wood", "by night", "under snow"])

    def answer(request):
        if "visual features" in request["messages"][-1]["content"]:
            return FEATURES
        prompts = [f"a dog {next(backgrounds)}", "a lonely catalogue"]
        return says(json.dumps({"prompts": prompts}))

    with Loopback(answer) as server:
        work_on(place, server, toy_batch)
    assert len(set(all_of(place, Prompt.text))) == 5
    assert all_of(place, Prompt.is_repeat) == [(False,)] * 5
