import json

import pytest
from typer.testing import CliRunner

from chatgenimage.factory.cli import app
from chatgenimage.factory.gain.cells import CELLS
from chatgenimage.factory.gain.trainers.class_trainer import TrainedClassModel
from tests.factory.gain.pictures import pictures, write_classes, write_coco

pytestmark = pytest.mark.models


@pytest.fixture
def sets(tmp_path):
    """Three datasets: real for training, synthetic, and a test set with two domains."""
    write_classes(tmp_path / "real", pictures(4, seed=1))
    write_classes(tmp_path / "made", pictures(16, seed=2))
    for seed, domain in ((3, "day"), (4, "night")):
        write_classes(tmp_path / "test" / domain, pictures(16, seed=seed))
    return tmp_path


def gain(folder, *words, synthetic="made", test="test", out="gain"):
    """Call the command on the datasets of a folder."""
    named = {"--train": "real", "--synthetic": synthetic, "--test": test, "--out": out}
    options = [word for name, place in named.items() for word in (name, str(folder / place))]
    return CliRunner().invoke(app, ["gain", *options, "--steps", "3", "--seeds", "2", *words])


def test_two_arms_are_trained_and_compared(sets):
    arms = ("--arm", "real", "--arm", "real + synthetic")
    done = gain(sets, *arms, "--json")
    assert done.exit_code == 0, done.output
    record = json.loads(done.stdout)
    assert record["task"] == "classify"
    assert record["compared"] == {"with": "real + synthetic", "without": "real"}
    assert record["test_images_by_domain"] == {"day": 16, "night": 16}
    assert "4 trainings of 3 steps" in done.stderr
    assert len(list((sets / "gain" / CELLS).iterdir())) == 4
    assert record["verdict"] in (sets / "gain" / "report.html").read_text(encoding="utf-8")
    again = gain(sets, *arms)
    assert "4 of them finished before" in again.stderr
    assert record["verdict"] in " ".join(again.stdout.split())


def test_an_estimate_trains_no_arm(sets):
    done = gain(sets, "--estimate", "--json")
    assert done.exit_code == 0, done.output
    plan = json.loads(done.stdout)
    assert (plan["trainings"], plan["finished"]) == (20, 0)
    assert plan["notes"] == ["Domains with fewer than 30 test images: day (16), night (16)."]
    assert plan["seconds"] > 0
    assert "20 trainings of 3 steps" in done.stderr  # 10 arms: one origin, and no rejected image
    assert "About" in done.stderr
    assert not (sets / "gain").exists()


def test_ctrl_c_keeps_what_is_finished(sets, monkeypatch):
    calls = []
    predict = TrainedClassModel.predict

    def stop_at_the_third(model, images):
        calls.append(model)
        if len(calls) == 4:  # the first is the estimate's
            raise KeyboardInterrupt
        return predict(model, images)

    monkeypatch.setattr(TrainedClassModel, "predict", stop_at_the_third)
    done = gain(sets, "--arm", "real", "--arm", "synthetic")
    assert done.exit_code == 130
    assert "2 of 4 trainings are finished and kept. The same command" in done.stderr
    assert not (sets / "gain" / "report.html").exists()
    assert gain(sets, "--arm", "real", "--arm", "synthetic").exit_code == 0


def test_detection_is_trained_on_a_coco_dataset(sets):
    write_coco(sets / "real", pictures(4, seed=1))
    write_coco(sets / "boxes", pictures(8, seed=2))
    write_coco(sets / "boxed", pictures(8, seed=3), split="test")
    options = ("--task", "detect", "--arm", "real + augmentation", "--batch-size", "2", "--json")
    done = gain(sets, *options, synthetic="boxes", test="boxed")
    assert done.exit_code == 0, done.output
    record = json.loads(done.stdout)
    assert record["metric"] == "mAP50"
    assert record["settings"]["trainer"] == "small"
    assert "The test set has only 8 images" in record["notes"][0]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--arm", "reel"), "no arm is called 'reel'; did you mean 'real'?"),
        (("--trainer", "yolo"), "no trainer is called 'yolo'"),
        (("--trainer", "small"), "--trainer small learns to detect, but the labels are for"),
        (("--weights", "missing.pth"), "--weights missing.pth: no such file"),
        (("--weights", "torchvision"), "torchvision has none for the trainer small-classes"),
        (("--trainer", "transformers"), "--trainer transformers needs --weights FOLDER"),
        (("--task", "segment"), "the sets have no labels for segment in common"),
        (("--run", "1"), "either --run NUMBER or --synthetic FOLDER"),
        (("--synthetic", "nowhere"), "nowhere: no such file or folder"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_written(options, problem, sets):
    done = gain(sets, *options)
    assert done.exit_code == 2
    assert problem in done.stderr
    assert not (sets / "gain").exists()


def test_a_folder_with_other_contents_is_not_written_to(sets):
    done = gain(sets, out="real")
    assert done.exit_code == 2
    assert "has other contents, no results; name another folder" in done.stderr
