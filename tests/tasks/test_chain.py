import pytest

from chatgenimage.tasks.chain import QUEUES, plan_chain
from chatgenimage.tasks.options import ChainOptions


def names(mode, **options):
    return [link.name for link in plan_chain(ChainOptions(**options), mode)]


def test_a_scene_batch_goes_down_algorithm_1():
    assert names("scene") == [
        *("brainstorm", "generate", "label", "filter"),
        *("imagine", "edit", "label", "place", "fill", "label", "filter"),
    ]


def test_object_centric_images_are_not_filled():
    assert "fill" not in names("object")
    assert "edit" in names("object")


def test_a_person_s_pictures_are_labelled_and_judged_and_then_go_on_like_others():
    assert names("scene", source="pictures", rounds=0) == ["label", "filter"]
    assert names("scene", source="pictures")[2:] == names("scene")[4:]


@pytest.mark.parametrize("rounds", [0, 1, 3])
def test_each_round_edits_and_filters_again(rounds):
    links = plan_chain(ChainOptions(rounds=rounds), "scene")
    assert [link.name for link in links].count("edit") == rounds
    assert [link.name for link in links].count("filter") == rounds + 1
    assert max(link.round for link in links) == rounds


def test_every_step_has_a_queue():
    assert {link.queue for link in plan_chain(ChainOptions(), "scene")} == set(QUEUES.values())
