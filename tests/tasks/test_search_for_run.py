"""All classes of a run are looked for on each image, if the run asks for it."""

import pytest

from chatgenimage.factory.planning.searching import extra_passes, plan_search
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.submission.labels import LabelRequest
from chatgenimage.factory.submission.ontology import with_ontology
from chatgenimage.tasks.label import LabelInput, compute, objects_in
from chatgenimage.tasks.names_to_detect import names_to_detect
from chatgenimage.tasks.options import ChainOptions
from chatgenimage.workers.values import Detection

BOX, ELSEWHERE, FAR = (0.0, 0.0, 9.0, 9.0), (20.0, 0.0, 29.0, 9.0), (40.0, 0.0, 49.0, 9.0)
TOYS = [
    LabelRequest("plush_dog", detect=("dog", "plush toy")),
    LabelRequest("wooden_dog", detect=("Dog",)),
    LabelRequest("car"),
    LabelRequest("referee", detect=("striped shirt",)),
]


def settings_with(**chain):
    return load_settings("micro", chain={"class_list": (), "caption_nouns": True, **chain})


def chain_of(requests, **chain):
    return with_ontology(settings_with(**chain), requests).chain


@pytest.fixture
def chain():
    return chain_of(TOYS, search_for="run")


def test_submission_stores_the_phrases_of_one_class_alone(chain):
    phrases = {"plush toy": "plush_dog", "car": "car", "striped shirt": "referee"}
    assert chain.run_phrases == phrases
    assert ChainOptions.model_validate(chain.model_dump(mode="json")) == chain


def test_by_default_nothing_changes():
    chain = chain_of(TOYS)
    assert not {"search_for", "run_phrases"} & chain.model_dump().keys()
    assert names_to_detect(["car"], "a dog", chain) == ("car", "dog")


def test_an_image_is_searched_for_its_label_first_and_then_for_all_others(chain):
    assert names_to_detect(["car"], "a striped shirt and a lamp", chain) == (
        *("car", "plush toy", "striped shirt"),
        "lamp",
    )
    own = names_to_detect(["wooden_dog"], "", chain)
    assert own == ("Dog", "plush toy", "car", "striped shirt")


def test_what_is_found_has_the_name_of_its_class(chain):
    found = [
        Detection("Dog", 0.5, BOX),
        Detection("car", 0.9, ELSEWHERE),
        Detection("striped shirt", 0.8, FAR),
    ]
    kept = objects_in(LabelInput(1, "", ("wooden_dog",), chain, ("wooden_dog",)), found)
    assert [one.label for one in kept] == ["car", "referee", "wooden_dog"]


def test_the_surer_class_has_the_box_and_no_caption_noun_takes_it(chain):
    found = [Detection("car", 0.6, BOX), Detection("wagon", 0.9, BOX)]
    [kept] = objects_in(LabelInput(1, "", ("referee",), chain, ("referee",)), found)
    assert kept.label == "car"
    found = [Detection("striped shirt", 0.5, BOX), Detection("car", 0.6, BOX)]
    [kept] = objects_in(LabelInput(1, "", ("referee",), chain, ("referee",)), found)
    assert kept.label == "car"


def test_the_plan_counts_the_passes_of_the_detector():
    requests = [LabelRequest(f"thing {number}") for number in range(300)]
    for words, passes, usual in (((), 25, 1), (("tree",) * 1, 26, 1)):
        settings = with_ontology(settings_with(search_for="run", class_list=words), requests)
        found = plan_search(settings, [one.label for one in requests])
        assert (found.classes, found.passes, found.usual_passes) == (300, passes, usual)
        assert extra_passes(settings) == passes - usual
    assert plan_search(settings_with(), []) is None


def test_the_plan_names_classes_whose_phrases_are_all_shared(chain):
    settings = settings_with().model_copy(update={"chain": chain})
    found = plan_search(settings, [one.label for one in TOYS])
    assert found.only_own == ("wooden_dog",)


@pytest.mark.models
@pytest.mark.parametrize(("searched", "labels"), [("label", {"dog"}), ("run", {"dog", "home"})])
def test_a_real_detector_finds_another_class_of_the_run(micro, world, searched, labels):
    requests = [LabelRequest("dog"), LabelRequest("home", detect=("house",)), LabelRequest("owl")]
    requests += [LabelRequest(f"thing {number}") for number in range(40)]  # several prompts
    chain = chain_of(requests, search_for=searched, caption_nouns=False)
    sha256 = micro.images.put(world["dog_and_house_on_a_beach"], {})
    [found] = compute(micro, [LabelInput(0, sha256, ("dog",), chain, ("dog",))])
    assert {one.label for one in found.detections} == labels
