"""Cost of language model calls in a run, and of repeated calls."""

import pytest
from sqlalchemy import select

from chatgenimage.db.models import Batch, LlmCall, Run, Step
from chatgenimage.db.spending import spending
from chatgenimage.db.states import RunState
from chatgenimage.factory.errors import BudgetSpent
from chatgenimage.factory.llm_cache import DatabaseLlmCache
from chatgenimage.factory.progress.worker_notices import list_stops
from chatgenimage.factory.submission.budgets import NO_LIMITS, SpendingLimits, allow
from chatgenimage.factory.terminal.tables import spending_line
from chatgenimage.tasks import brainstorm
from chatgenimage.tasks.ledger import record_exchanges
from chatgenimage.tasks.options import DeliveryOptions
from chatgenimage.tasks.resources import Resources
from chatgenimage.workers.errors import AnswerRefused
from chatgenimage.workers.llm.openai import OpenAiLanguageModel
from chatgenimage.workers.values import Exchange
from tests import rows
from tests.loopback import Loopback, fails, says

GOOD = says('{"features": ["golden fur", "floppy ears"]}')
PRICES = {"prompt_price": 1_000_000.0, "completion_price": 2_000_000.0}
COST = 11 * 1.0 + 7 * 2.0
"""Cost of one answer of the loopback server at these prices."""


@pytest.fixture
def step_id(place):
    with place.sessions.begin() as session:
        rows.add_run(session)
        batch = session.scalars(select(Batch)).one()
        step = Step(batch_id=batch.id, position=0, name="brainstorm", queue="language", round=0)
        session.add(step)
        session.flush()
        return step.id


def record(place, step_id, *answers):
    with place.sessions.begin() as session:
        step = session.get_one(Step, step_id)
        for answer in answers:
            record_exchanges(session, step, 1, answer.exchanges)


def ask(place, server, seed=1, **changes):
    """Send a request like a new worker process."""
    config = server.config(**PRICES, **changes)
    model = OpenAiLanguageModel.load(config, DatabaseLlmCache(place.sessions, place.images))
    return model.describe_features("dog", seed=seed)


def run_of(session):
    return session.scalars(select(Run)).one()


def test_a_run_s_ledger_counts_tokens_and_cost(place, step_id):
    with Loopback(says("xyzzy"), GOOD) as server:
        record(place, step_id, ask(place, server))
    with place.sessions() as session:
        told = spending(session, run_of(session))
    assert (told.calls, told.refused, told.reused) == (2, 1, 0)
    assert (told.prompt_tokens, told.completion_tokens) == (22, 14)
    assert told.cost == pytest.approx(2 * COST)


def test_the_same_request_is_answered_from_memory_and_costs_nothing(place, step_id):
    with Loopback(says("xyzzy"), GOOD) as server:
        first, again = ask(place, server), ask(place, server)
        record(place, step_id, first)
        record(place, step_id, again)
    assert len(server.requests) == 2
    assert again.value == first.value
    with place.sessions() as session:
        told = spending(session, run_of(session))
    assert (told.calls, told.reused) == (4, 2)
    assert told.cost == pytest.approx(2 * COST)


def test_an_answer_that_its_worker_could_not_record_is_counted_once(place, step_id):
    with Loopback(GOOD) as server:
        ask(place, server)  # and the worker dies before its commit
        record(place, step_id, ask(place, server))
        record(place, step_id, ask(place, server))
    assert len(server.requests) == 1
    with place.sessions() as session:
        assert run_of(session).spent == pytest.approx(COST)
        calls = session.scalars(select(LlmCall).order_by(LlmCall.id))
        assert [call.is_reused for call in calls] == [False, True]


@pytest.mark.parametrize(
    ("changes", "again"),
    [
        pytest.param({}, {"seed": 2}, id="another seed"),
        pytest.param({}, {"temperature": 0.7}, id="another temperature"),
        pytest.param({}, {"model": "other"}, id="another model"),
        pytest.param({"reuse_answers": False}, {"reuse_answers": False}, id="memory off"),
    ],
)
def test_another_request_is_sent(place, step_id, changes, again):
    with Loopback(GOOD) as server:
        ask(place, server, **changes)
        ask(place, server, **again)
    assert len(server.requests) == 2


def test_a_refused_answer_is_not_remembered_so_that_a_retry_asks_again(place, step_id):
    with Loopback(*[fails(400)] * 3, GOOD) as server:
        with pytest.raises(AnswerRefused):
            ask(place, server)
        assert ask(place, server).value


def test_a_run_whose_budget_is_spent_is_paused_with_its_reason(place, step_id):
    with place.sessions.begin() as session:
        run_of(session).budget = 1.5 * COST
    with Loopback(GOOD) as server:
        record(place, step_id, ask(place, server, seed=1))
        with place.sessions() as session:
            assert run_of(session).state == RunState.ACTIVE
        record(place, step_id, ask(place, server, seed=2))
    with place.sessions.begin() as session:
        run = run_of(session)
        assert run.state == RunState.PAUSED
        assert run.pause_reason == "its budget of 37.50 is spent (50.0000)"
        with pytest.raises(BudgetSpent, match=r"factory resume 1 --budget 100\.00"):
            allow(run, NO_LIMITS)
        allow(run, SpendingLimits(60.0))
        assert (run.budget, run.pause_reason) == (60.0, None)


def test_what_costs_nothing_pauses_no_run(place, step_id):
    with place.sessions.begin() as session:
        run_of(session).budget = 0.01
        step = session.get_one(Step, step_id)
        record_exchanges(session, step, 1, [Exchange("features", "rules", (), "[]")])
    with place.sessions() as session:
        assert run_of(session).state == RunState.ACTIVE


def test_features_that_were_paid_for_are_told_when_the_prompts_fail(place):
    with Loopback(GOOD, says("xyzzy")) as server:
        model = OpenAiLanguageModel.load(server.config(max_repairs=0))
        resources = Resources(place.sessions, place.images, [model], DeliveryOptions(), "me@here#1")
        question = brainstorm.PromptRequest("dog", None, 2, "scene", 0, 1, 2, most_alike=0.9)
        with pytest.raises(AnswerRefused) as refused:
            brainstorm.compute(resources, [question])
    told = [(exchange.question, bool(exchange.problem)) for exchange in refused.value.exchanges]
    assert told == [("features", False), ("prompts", True)]


def test_a_run_tells_what_it_asked_and_why_it_rests(place, step_id):
    with place.sessions.begin() as session:
        run_of(session).budget = 1.0
    with Loopback(GOOD) as server:
        record(place, step_id, ask(place, server))
    with place.sessions() as session:
        run = run_of(session)
        told = spending_line(spending(session, run)).plain
        [why] = list_stops(session, run)
    assert told == (
        "1 questions to models: 0 answered from memory, 0 refused; "
        "11 tokens sent, 7 received, cost 25.0000 of 1.00"
    )
    assert why == (
        "paused: its budget of 1.00 is spent (25.0000). Give it more, e.g. "
        "`factory resume 1 --budget 50.00`."
    )
