import json
import re

import pytest

from chatgenimage.workers.boxes import placement_problem
from chatgenimage.workers.config import RulesConfig
from chatgenimage.workers.errors import CheckpointBroken, CheckpointNotFound, UnknownWord
from chatgenimage.workers.llm.rulebook import RuleBook
from chatgenimage.workers.llm.rules import Rules
from chatgenimage.workers.values import Detection
from chatgenimage.workers.weights.local_files import local_path

CHECKPOINT = "bundled:micro/rules"
BOOK = RuleBook.load(local_path(CHECKPOINT))
NOUN = f"(?:an? (?:{'|'.join(BOOK.objects)}))"
NOUNS = f"{NOUN}(?:(?:, {NOUN})* and {NOUN})?"
PLACE = f"(?:{'|'.join(rule.place for rule in BOOK.backgrounds.values())})"
FEATURE = "|".join(feature for rule in BOOK.objects.values() for feature in rule.features)
SENTENCE = re.compile(
    f"{NOUNS} {PLACE}|{NOUN} next to {NOUNS} {PLACE}"
    f"|{NOUN} with (?:{FEATURE}) {PLACE}|a close-up of {NOUN} {PLACE}"
)
DOG = Detection("dog", 0.9, (20.0, 20.0, 44.0, 44.0))


@pytest.fixture(scope="module")
def rules():
    return Rules.load(RulesConfig(checkpoint=CHECKPOINT))


@pytest.mark.parametrize("mode", ["scene", "object"])
@pytest.mark.parametrize("label", sorted(BOOK.objects))
def test_prompts_are_distinct_sentences_of_the_grammar_about_the_label(rules, label, mode):
    prompts = rules.write_prompts(label, [], 16, mode=mode, seed=5).value
    assert len(set(prompts)) == 16
    for prompt in prompts:
        assert SENTENCE.fullmatch(prompt), prompt
        assert re.match(rf"(a close-up of )?an? {label}\b", prompt)


@pytest.mark.parametrize("mode", ["scene", "object"])
def test_eight_prompts_show_eight_backgrounds(rules, mode):
    prompts = rules.write_prompts("dog", [], 8, mode=mode, seed=1).value
    assert len({BOOK.background_in(prompt) for prompt in prompts}) == 8


@pytest.mark.parametrize(
    ("domain", "place"),
    [
        ("on a beach", "on a beach"),
        ("beach", "on a beach"),
        ("in snow", "on a snowy field"),
        ("in a snowy field", "on a snowy field"),
        ("At Night", "under a night sky"),
        ("in the city", "on a city street"),
        ("in a room", "in a room"),
    ],
)
def test_a_domain_means_the_background_that_has_its_words(rules, domain, place):
    assert rules.place_of(domain) == place


@pytest.mark.parametrize("domain", ["in fog", "in a field", "street", "snowy beach", "the"])
def test_a_domain_without_a_background_is_refused_with_the_known_ones(rules, domain):
    with pytest.raises(UnknownWord, match=r"it knows: in a forest, .*in a room"):
        rules.place_of(domain)


@pytest.mark.parametrize("mode", ["scene", "object"])
def test_prompts_and_scenes_of_a_domain_are_on_its_background(rules, mode):
    prompts = rules.write_prompts("dog", [], 6, mode=mode, domain="in snow", seed=1).value
    assert {BOOK.background_in(prompt) for prompt in prompts} == {"snow"}
    assert len(set(prompts)) >= 4
    caption = "a dog on a snowy field"
    scenes = rules.imagine_scenes(caption, ["dog"], 2, domain="in snow", seed=1).value
    assert [scene.background for scene in scenes] == ["a snowy field"] * 2
    assert len({scene.description for scene in scenes}) == 2


def test_without_a_domain_the_rule_book_is_asked_as_before(rules):
    (prompts,) = rules.write_prompts("dog", [], 2, mode="scene", seed=1).exchanges
    (scenes,) = rules.imagine_scenes("a dog on a beach", ["dog"], 3, seed=1).exchanges
    keys = [list(json.loads(one.messages[0]["content"])) for one in (prompts, scenes)]
    assert keys == [
        ["question", "label", "features", "count", "mode", "seed"],
        ["question", "caption", "objects", "count", "seed"],
    ]


def test_object_prompts_are_close_ups(rules):
    prompts = rules.write_prompts("elephant", [], 4, mode="object", seed=1).value
    assert all(prompt.startswith("a close-up of an elephant ") for prompt in prompts)


def test_only_the_given_features_are_used_when_the_book_knows_them(rules):
    prompts = rules.write_prompts("dog", ["golden fur", "x"], 30, mode="object", seed=1).value
    assert {p for p in prompts if " with " in p} == {p for p in prompts if "golden fur" in p}


def test_more_prompts_than_the_grammar_has_still_come(rules):
    assert len(rules.write_prompts("dog", [], 200, mode="object", seed=1).value) == 200


def test_the_seed_decides_and_another_seed_answers_otherwise(rules):
    one, again, other = (
        rules.write_prompts("dog", [], 8, mode="scene", seed=seed) for seed in (1, 1, 2)
    )
    assert one == again
    assert one.value != other.value


@pytest.mark.parametrize("seed", range(5))
def test_scenes_keep_the_objects_and_change_the_background(rules, seed):
    scenes = rules.imagine_scenes("a dog on a beach", ["dog", "tree", "dog"], 7, seed=seed).value
    assert len({scene.background for scene in scenes}) == 7
    for scene in scenes:
        assert scene.background != "a beach"
        assert scene.objects[:2] == ("dog", "tree")
        assert len(set(scene.objects)) == 7
        assert SENTENCE.fullmatch(scene.description)
        assert scene.background in scene.description
        assert "dog" in scene.description
        assert scene.objects[2] in scene.description


def test_a_scene_without_objects_shows_a_new_one(rules):
    (scene,) = rules.imagine_scenes("", [], 1, seed=1).value
    assert SENTENCE.fullmatch(scene.description)


@pytest.mark.parametrize("size_wh", [(64, 64), (512, 512), (96, 64)])
@pytest.mark.parametrize("seed", range(10))
def test_placements_obey_the_paper_s_rules_and_do_not_meet_each_other(rules, size_wh, seed):
    scaled = [value * side / 64 for value, side in zip(DOG.box_xyxy, size_wh * 2, strict=True)]
    dog = Detection("dog", 0.9, tuple(scaled))
    placements = rules.place_objects(
        "a dog on a beach", [dog], ["tree", "ball"], 2, size_wh=size_wh, seed=seed
    ).value
    taken = [dog.box_xyxy]
    for placement in placements:
        assert placement_problem(placement.box_xyxy, taken, size_wh) is None
        assert SENTENCE.fullmatch(f"a {placement.label} {placement.relationship}")
        taken.append(placement.box_xyxy)
    assert placements


@pytest.mark.parametrize("size_wh", [(64, 64), (96, 64)])
@pytest.mark.parametrize("label", ["turtle", "penguin"])
def test_a_placement_has_the_shape_of_its_object(rules, label, size_wh):
    aspects = []
    for seed in range(20):
        (placement,) = rules.place_objects("", [], [label], 1, size_wh=size_wh, seed=seed).value
        x_min, y_min, x_max, y_max = placement.box_xyxy
        aspects.append((x_max - x_min) / (y_max - y_min))
    assert sum(aspects) / len(aspects) == pytest.approx(BOOK.objects[label].aspect, rel=0.12)


def test_targets_are_taken_in_order_and_those_that_stand_there_last(rules):
    placements = rules.place_objects(
        "a dog on a beach", [DOG], ["dog", "unheard", "ball"], 1, size_wh=(64, 64), seed=1
    ).value
    assert [placement.label for placement in placements] == ["ball"]


def test_a_relationship_names_the_neighbours_and_the_caption_s_place(rules):
    beside = [DOG, Detection("tree", 0.8, (0.0, 0.0, 15.0, 15.0))]
    (placement,) = rules.place_objects(
        "a dog and a tree on a beach", beside, ["ball"], 1, size_wh=(64, 64), seed=1
    ).value
    assert placement.relationship == "next to a dog and a tree on a beach"


@pytest.mark.parametrize("existing", [[], [Detection("unheard", 0.9, (0.0, 0.0, 9.0, 9.0))]])
def test_a_relationship_without_neighbours_is_the_place(rules, existing):
    (placement,) = rules.place_objects(
        "something in a forest", existing, ["ball"], 1, size_wh=(64, 64), seed=1
    ).value
    assert placement.relationship == "in a forest"


def test_a_full_image_gets_no_placement(rules):
    wall = Detection("castle", 0.9, (0.0, 0.0, 64.0, 64.0))
    answer = rules.place_objects("a castle", [wall], ["ball"], 3, size_wh=(64, 64), seed=1)
    assert answer.value == ()


def test_an_unknown_word_is_refused_with_the_words_that_are_known(rules):
    for ask in (
        lambda: rules.describe_features("cat", seed=1),
        lambda: rules.write_prompts("cat", [], 1, mode="scene", seed=1),
        lambda: rules.imagine_scenes("", ["cat"], 1, seed=1),
        lambda: rules.place_objects("", [], ["cat"], 1, size_wh=(64, 64), seed=1),
    ):
        with pytest.raises(UnknownWord, match=r"'cat'.*balloon.*tree"):
            ask()


def test_case_makes_no_difference(rules):
    assert rules.describe_features("Dog", seed=1).value == BOOK.objects["dog"].features


def test_every_question_is_recorded(rules):
    (exchange,) = rules.imagine_scenes("a dog in a room", ["dog"], 2, seed=3).exchanges
    assert (exchange.question, exchange.model, exchange.problem) == ("scenes", "rules", None)
    assert json.loads(exchange.messages[0]["content"])["caption"] == "a dog in a room"
    assert len(json.loads(exchange.answer)) == 2


def test_the_identity_changes_with_the_book(rules, tmp_path):
    (tmp_path / "rules.json").write_text(BOOK.model_dump_json(indent=1), encoding="utf-8")
    copy = Rules.load(RulesConfig(checkpoint=str(tmp_path)))
    assert copy.identity.family == "rules"
    assert copy.identity.revision != rules.identity.revision


def test_a_missing_or_broken_book_is_told_with_its_path(tmp_path):
    with pytest.raises(CheckpointNotFound, match=r"rules\.json"):
        Rules.load(RulesConfig(checkpoint=str(tmp_path)))
    (tmp_path / "rules.json").write_text("{", encoding="utf-8")
    with pytest.raises(CheckpointBroken, match=str(tmp_path)):
        Rules.load(RulesConfig(checkpoint=str(tmp_path)))
