"""LanguageModel with the rule book and with an endpoint on loopback."""

import json

import pytest

from chatgenimage.testing import CHECKS
from chatgenimage.workers.config import RulesConfig
from chatgenimage.workers.errors import AnswerRefused, UnknownWord, WorkerError
from chatgenimage.workers.interfaces import LanguageModel
from chatgenimage.workers.llm.openai import OpenAiLanguageModel
from chatgenimage.workers.llm.rules import Rules
from chatgenimage.workers.values import Detection
from tests.loopback import Loopback, fails, says

DOG = Detection("dog", 0.9, (4.0, 4.0, 24.0, 24.0))
SIZE_WH = (64, 64)


def _play_a_model(request):
    """Answer any of the four requests like a good server, for words it knows."""
    if "unheard" in request["messages"][-1]["content"]:
        return fails(400, "unknown word")
    kind = request["response_format"]["json_schema"]["name"]
    scene = {"background": "a beach", "objects": ["dog", "ball"], "description": "a dog, a ball"}
    box = {"label": "ball", "box": [300, 300, 450, 450], "relationship": "next to a dog"}
    answers = {
        "features": ["golden fur", "short ears"],
        "prompts": [f"a dog on beach {number}" for number in range(9)],
        "scenes": [scene] * 9,
        "placements": [box] * 9,
    }
    return says(json.dumps({kind: answers[kind]}))


@pytest.fixture(params=["rules", "openai"])
def model(request):
    if request.param == "rules":
        yield Rules.load(RulesConfig(checkpoint="bundled:micro/rules"))
    else:
        with Loopback(_play_a_model) as server:
            yield OpenAiLanguageModel.load(server.config(max_repairs=0))


def ask_everything(model, label="dog", seed=1):
    yield "features", lambda: model.describe_features(label, seed=seed)
    for mode in ("scene", "object"):
        yield "prompts", lambda mode=mode: model.write_prompts(label, [], 3, mode=mode, seed=seed)
    yield "scenes", lambda: model.imagine_scenes("a dog in a room", [label], 2, seed=seed)
    yield (
        "placements",
        lambda: model.place_objects(
            "a dog in a room", [DOG], [label, "ball"][::-1][:1], 1, size_wh=SIZE_WH, seed=seed
        ),
    )


def test_it_is_a_language_model_with_an_identity(model):
    assert isinstance(model, LanguageModel)
    assert all((model.identity.family, model.identity.checkpoint, model.identity.revision))
    json.dumps(model.identity.settings)


def test_every_answer_carries_the_exchange_that_was_used(model):
    for question, ask in ask_everything(model):
        exchange = ask().exchanges[-1]
        assert (exchange.question, exchange.problem) == (question, None)
        assert exchange.answer
        assert all(set(message) == {"role", "content"} for message in exchange.messages)


def test_the_same_seed_gives_the_same_answer(model):
    for (_, ask), (_, again) in zip(ask_everything(model), ask_everything(model), strict=True):
        assert ask().value == again().value


@pytest.mark.parametrize("check", CHECKS[LanguageModel], ids=lambda check: check.__name__)
def test_the_contract_that_plug_ins_are_checked_by_holds(model, check):
    check(model)


@pytest.mark.parametrize("mode", ["scene", "object"])
@pytest.mark.parametrize("count", [1, 5])
def test_as_many_prompts_come_as_were_asked_for_and_all_show_the_label(model, mode, count):
    features = ["golden fur", "a curled tail"]
    prompts = model.write_prompts("dog", features, count, mode=mode, seed=1).value
    assert len(set(prompts)) == count
    assert all("dog" in prompt for prompt in prompts)


@pytest.mark.parametrize("count", [1, 3])
def test_scenes_begin_with_the_objects_that_exist_and_add_others(model, count):
    scenes = model.imagine_scenes("a dog in a room", ["dog"], count, seed=1).value
    assert len(scenes) == count
    for scene in scenes:
        assert scene.objects[0] == "dog"
        assert len(scene.objects) > 1
        assert scene.background != "a room"
        assert scene.description


def test_an_image_without_objects_can_be_spoken_of(model):
    assert model.imagine_scenes("", [], 1, seed=1).value
    assert model.place_objects("", [], ["ball"], 1, size_wh=SIZE_WH, seed=1).value


def test_a_word_it_cannot_speak_about_is_refused_in_one_line(model):
    for _, ask in list(ask_everything(model, label="unheard"))[:4]:
        with pytest.raises(WorkerError) as caught:
            ask()
        assert isinstance(caught.value, UnknownWord | AnswerRefused)
        assert "\n" not in str(caught.value)
