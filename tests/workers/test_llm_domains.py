from chatgenimage.workers.llm.openai import CIRCUMSTANCES, OpenAiLanguageModel
from tests.loopback import Loopback, says


def test_a_domain_is_asked_for_in_words_behind_table_1():
    prompts = '["a dog on a beach", "a dog in a wood"]'
    with Loopback(says(prompts)) as server:
        model = OpenAiLanguageModel.load(server.config())
        for variation, domain in ((0, None), (0, "at night"), (3, "at night")):
            model.write_prompts(
                "dog", [], 2, mode="scene", variation=variation, domain=domain, seed=1
            )
    plain, first, fourth = (request["messages"][-1]["content"] for request in server.requests)
    assert first == f"{plain} Every scene is at night: each prompt must say so near its beginning."
    assert fourth.startswith(f"{first} This is set 4 of such prompts")
    assert not any(circumstance in fourth for circumstance in CIRCUMSTANCES[1:])


def test_scenes_of_a_domain_are_asked_for_in_words_behind_table_1():
    scene = '[{"background": "a street", "objects": ["dog"], "description": "a dog at night"}]'
    with Loopback(says(scene)) as server:
        model = OpenAiLanguageModel.load(server.config())
        for domain in (None, "at night"):
            model.imagine_scenes("a dog", ["dog"], 1, domain=domain, seed=1)
    plain, asked = (request["messages"][-1]["content"] for request in server.requests)
    wish = "Every scene is at night: each background and each description must show and name that."
    assert asked == f"{plain} {wish}"
