"""A whole run whose images, captions and boxes come from a server: its costs and refusals."""

import subprocess

import numpy as np
import pytest
import yaml
from sqlalchemy import func, select

from chatgenimage.db.models import Candidate, Item, LlmAnswer, LlmCall, Run, Score
from chatgenimage.db.states import ItemState, Origin, RunState, Verdict
from chatgenimage.factory.settings.profiles import find_profile
from tests.loopback import fails
from tests.model_server import ModelServer, blocked

PER_IMAGE, PER_TOKEN = 0.5, 1e3
CHAT_COST = 18 * PER_TOKEN / 1e6
RUN = ("run", "dog", "--per-label", "2", "--seed", "1", "--budget", "100")


@pytest.fixture
def server():
    with ModelServer(fails(429), blocked()) as server:
        yield server


@pytest.fixture
def call(factory, server, tmp_path):
    """A function that calls the factory with the server's models."""
    content = yaml.safe_load(find_profile("micro").read_text(encoding="utf-8"))
    ask = {"base_url": server.url, "api_key": "sk-a", "max_retries": 0}
    paint = {"family": "openai_images", "model": "painter", "size": "64x64", **ask}
    see = {"family": "openai_vision", "model": "seer", **ask}
    see |= {"prompt_price": PER_TOKEN, "completion_price": PER_TOKEN}
    content["families"] |= {
        "diffusion": {**paint, "price_per_image": PER_IMAGE},
        "editing": {**paint, "price_per_image": PER_IMAGE},
        "captioning": see,
        "detection": see,
        "judging": see,
    }
    content["chain"]["visual_checks"] = ["whole"]
    content["delivery"] = {"max_backoff_s": 1}
    profile = tmp_path / "key.yaml"
    profile.write_text(yaml.safe_dump(content), encoding="utf-8")

    def call(*words):
        words = (*words, "--profile", str(profile))
        return subprocess.run(
            factory.command(*words), capture_output=True, text=True, timeout=300, check=False
        )

    return call


def test_a_run_through_a_server_is_paid_for_image_by_image(factory, server, call):
    ended = call(*RUN)
    assert ended.returncode == 1, ended.stderr  # one image was given up
    assert "content filter refused this request" in ended.stdout
    paid = server.count("/images/generations") + server.count("/images/edits")
    with factory.sessions() as session:
        run = session.scalars(select(Run)).one()
        assert run.state == RunState.DONE
        assert_the_ledger_is_right(session, run, painted=paid - 2)
        assert_one_image_was_refused_and_given_up(session)
        assert_fills_changed_nothing_outside(session, factory)


def assert_the_ledger_is_right(session, run, painted):
    """Every request that was answered is in the ledger, with its price."""
    calls = session.scalars(select(LlmCall)).all()
    images = [call for call in calls if call.question in {"image", "edit", "fill"}]
    assert {call.question for call in calls} >= {
        "image",
        "edit",
        "fill",
        "caption",
        "boxes",
        "judgement",
    }
    assert sum(call.cost for call in images) == pytest.approx(painted * PER_IMAGE)
    seen = [call for call in calls if call.question in {"caption", "boxes"} and call.cost]
    assert {round(call.cost, 6) for call in seen} == {round(CHAT_COST, 6)}
    assert run.spent == pytest.approx(sum(call.cost for call in calls))
    assert any("429" in (call.problem or "") for call in images)
    kept = session.scalar(select(func.count()).where(LlmAnswer.image_sha256.is_not(None)))
    assert kept == painted


def assert_one_image_was_refused_and_given_up(session):
    [item] = session.scalars(select(Item).where(Item.state == ItemState.QUARANTINED))
    assert (item.attempts, "content filter refused this request" in item.error) == (1, True)
    generated = select(func.count()).where(Candidate.origin == Origin.GENERATED)
    assert session.scalar(generated) == 1


def assert_fills_changed_nothing_outside(session, factory):
    filled = session.scalars(select(Candidate).where(Candidate.origin == Origin.FILLED)).all()
    assert filled
    for candidate in filled:
        x_min, y_min, x_max, y_max = map(int, candidate.placement.box_xyxy)
        outside = np.ones((64, 64), bool)
        outside[y_min : y_max + 1, x_min : x_max + 1] = False
        before = factory.images.get(candidate.parent.sha256)
        after = factory.images.get(candidate.sha256)
        assert np.array_equal(before[outside], after[outside])
    accepted = select(func.count()).where(Candidate.verdict == Verdict.ACCEPTED)
    assert session.scalar(accepted)
    seen = select(Score.value).where(Score.name == "seen_whole").distinct()
    assert session.scalars(seen).all() == [0.9]
