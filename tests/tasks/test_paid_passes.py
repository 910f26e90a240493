"""Steps whose models are on a server: what is paid for, kept, given up and waited for."""

import numpy as np
import pytest
from sqlalchemy import select

from chatgenimage.db.consistency import find_disagreement
from chatgenimage.db.models import Candidate, Item, LlmAnswer, LlmCall, Prompt, Run, Step
from chatgenimage.db.states import ItemState, RunState, StepState
from chatgenimage.factory.llm_cache import DatabaseLlmCache
from chatgenimage.tasks import resources
from chatgenimage.tasks.generate import GENERATE
from chatgenimage.tasks.options import DeliveryOptions
from chatgenimage.tasks.resources import Resources
from chatgenimage.tasks.step import ChainEnds, run_step
from chatgenimage.workers.llm.image_answers import encode_image
from chatgenimage.workers.openai_images import OpenAiImages
from chatgenimage.workers.server_config import OpenAiImagesConfig
from tests import rows
from tests.loopback import Loopback, fails, paints

PNG = encode_image(np.full((16, 16, 3), 90, np.uint8))
QUEUE = "diffusion"


@pytest.fixture
def generate(place):
    """A function that runs the step `generate` of a batch of three prompts through a server."""
    with place.sessions.begin() as session:
        run = rows.add_run(session, ["dog"])
        [batch] = rows.batches_of(session, run)
        rows.add_steps(session, batch, ["generate"])
        session.add_all(
            Prompt(batch_id=batch.id, index=index, text=f"a dog {index}") for index in range(3)
        )
        session.flush()
        batch_id = batch.id

    def generate(server, budget=None, **changes):
        with place.sessions.begin() as session:
            session.get_one(Run, 1).budget = budget
            for step in session.scalars(select(Step)):
                step.queue = QUEUE
        config = OpenAiImagesConfig(
            model="painter", base_url=server.url, api_key="sk", max_retries=0, price_per_image=1
        )
        model = OpenAiImages.load(config, DatabaseLlmCache(place.sessions, place.images))
        options = DeliveryOptions(max_backoff_s=0.0)
        resources.use(
            Resources(
                place.sessions,
                place.images,
                [model],
                options,
                "me@here#1",
                paid_queues=frozenset({QUEUE}),
                **changes,
            )
        )
        try:
            run_step(GENERATE, batch_id)
        except ChainEnds:
            return False
        return True

    return generate


def count(place, model, *conditions):
    with place.sessions() as session:
        return len(session.scalars(select(model).where(*conditions)).all())


def spent(place):
    with place.sessions() as session:
        return session.get_one(Run, 1).spent


def test_every_image_is_paid_for_once_and_is_in_the_cache(place, generate):
    with Loopback(paints(PNG)) as server:
        assert generate(server)
    assert (count(place, Candidate), len(server.requests), spent(place)) == (3, 3, 3)
    with place.sessions() as session:
        answers = {answer.image_sha256 for answer in session.scalars(select(LlmAnswer))}
        called = {call.answer for call in session.scalars(select(LlmCall))}
    assert answers == called
    found = find_disagreement(place.sessions, place.images, reason="-", min_age_s=-1)
    assert found.orphans == ()  # the cached files are no orphans


def test_a_refused_prompt_is_given_up_alone_and_not_asked_for_again(place, generate):
    def answer(request):
        bad = fails(400, "rejected by our safety system; content_policy_violation")
        return bad if request["prompt"].endswith("1") else paints(PNG)

    with Loopback(answer) as server:
        assert generate(server)
    assert (count(place, Candidate), len(server.requests), spent(place)) == (2, 3, 2)
    assert count(place, Item, Item.state == ItemState.QUARANTINED) == 1
    assert count(place, LlmCall, LlmCall.problem.is_not(None)) == 1


def test_a_rate_limit_makes_the_step_wait_and_nothing_is_paid_twice(place, generate):
    def answer(request):
        is_full = request["prompt"].endswith("1") and len(server.requests) <= 3
        return fails(429) if is_full else paints(PNG)

    with Loopback(answer) as server:
        assert not generate(server)
        assert count(place, Step, Step.state == StepState.READY) == 1
        assert count(place, Item, Item.attempts > 1) == 0
        assert generate(server)
    assert (count(place, Candidate), len(server.requests), spent(place)) == (3, 4, 3)


def test_what_was_paid_before_a_death_is_not_paid_again(place, generate):
    with Loopback(paints(PNG)) as server:
        dying = DatabaseLlmCache(place.sessions, place.images)
        config = OpenAiImagesConfig(
            model="painter", base_url=server.url, api_key="sk", price_per_image=1
        )
        painter = OpenAiImages.load(config, dying)
        with place.sessions() as session:
            step = session.scalars(select(Step)).one()
            first = GENERATE.read(session, step, 1)
        painter.generate([first.prompt_text], [first.seed])  # its worker dies now
        assert spent(place) == 0
        assert generate(server)
    assert (count(place, Candidate), len(server.requests), spent(place)) == (3, 3, 3)


def test_a_spent_budget_pauses_the_run_between_images(place, generate):
    with Loopback(paints(PNG)) as server:
        generate(server, budget=2)
    assert (len(server.requests), spent(place)) == (2, 2)
    assert count(place, Run, Run.state == RunState.PAUSED) == 1
