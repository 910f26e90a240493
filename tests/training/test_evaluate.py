import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from chatgenimage.workers.values import Detection
from training import evaluate, judges
from training.__main__ import main
from training.bench import SAME_PLACE_IOU, is_found_in
from training.measure_labelers import average_precision
from training.world import LABELS

BOX = (10.0, 10.0, 30.0, 30.0)
WORLD = Path(__file__).parent.parent / "data/world"
TRUTH = json.loads((WORLD / "truth.json").read_text())


def read_scene(name):
    return np.array(Image.open(WORLD / f"{name}.png").convert("RGB"))


@pytest.fixture(scope="module")
def judge():
    return judges.ObjectJudge.load()


def test_the_judge_knows_the_words_of_the_world(judge):
    assert set(LABELS) <= set(judge.names)
    assert judge.names[-1] == judges.NOTHING


@pytest.mark.parametrize("name", TRUTH)
def test_the_judge_names_what_stands_on_known_images(judge, name):
    objects = TRUTH[name]["objects"]
    named = judge.name(read_scene(name), [item["box_xyxy"] for item in objects])
    assert named == [item["label"] for item in objects]


def test_the_judge_sees_nothing_on_an_empty_beach(judge):
    empty = read_scene("empty_beach")
    assert judge.name(empty, [BOX, (30, 30, 60, 60)]) == [judges.NOTHING] * 2


def test_a_judge_that_was_saved_judges_alike(judge, tmp_path):
    judge.save(tmp_path / "judge.safetensors")
    again = judges.ObjectJudge.load(tmp_path / "judge.safetensors")
    image, boxes = read_scene("dog_on_a_beach"), [BOX, (5, 30, 33, 55)]
    assert again.name(image, boxes) == judge.name(image, boxes)


def test_a_crop_shows_the_square_around_a_box():
    image = torch.zeros(1, 3, 64, 64)
    image[:, :, 10:30, 10:30] = 1
    crop = judges.crop(image, judges.square_around(torch.tensor([BOX])))
    assert crop.shape == (1, 3, judges.CROP_PX, judges.CROP_PX)
    assert crop[0, :, 8:24, 8:24].min() == 1
    assert crop[0, 0, [0, 0, -1, -1], [0, -1, 0, -1]].max() == 0


@pytest.mark.parametrize(("shift", "is_found"), [(0.0, True), (6.0, True), (8.0, False)])
def test_an_object_is_found_where_boxes_overlap_by_half(shift, is_found):
    found = [Detection("dog", 0.9, (BOX[0] + shift, BOX[1], BOX[2] + shift, BOX[3]))]
    assert is_found_in(("dog", BOX), found) == is_found
    assert not is_found_in(("cat", BOX), found)
    assert SAME_PLACE_IOU == 0.5


def test_average_precision_is_one_for_the_truth_and_half_when_half_is_missed():
    truth = [[("dog", BOX)], [("dog", BOX)]]
    seen = [Detection("dog", 0.9, BOX)]
    assert average_precision(truth, [seen, seen]) == pytest.approx((1.0, 1.0))
    assert average_precision(truth, [seen, []])[1] == pytest.approx(0.5, abs=0.01)


def test_the_card_says_what_was_measured():
    measured = json.loads(evaluate.MEASURED.read_text())
    rows = list(evaluate.iter_rows())
    assert set(measured) == set(evaluate.MEASURES)
    assert evaluate.to_markdown(rows) in evaluate.CARD.read_text()


@pytest.mark.parametrize(("reached", "is_missed"), [(0.9, False), (0.89, True)])
def test_a_bar_is_missed_below_it(reached, is_missed):
    row = evaluate.Row("m", "n", 0.9, reached, 10)
    assert row.is_missed == is_missed
    assert (", missed" in evaluate.to_markdown([row])) == is_missed


def test_thumbnails_tell_a_dark_image_from_a_light_one():
    dark, light = (np.full((1, 64, 64, 3), level, np.uint8) for level in (0, 255))
    assert judges.thumbnails(dark).sum() < judges.thumbnails(light).sum()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--only", "beauty"], "choose from: judges, vae"),
        (["--images", "0"], "not between 1 and 2000"),
    ],
)
def test_bad_arguments_of_the_evaluation_are_refused(words, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", *words], tmp_path)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_without_sprites_the_make_target_is_named(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["evaluate"], tmp_path / "nowhere")
    assert ended.value.code == 2
    assert "make sprites" in capsys.readouterr().err
