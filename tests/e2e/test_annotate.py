"""`factory annotate` on pictures in a folder, with a real worker."""

import json
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import select

from chatgenimage.db.models import Candidate
from chatgenimage.workers import boxes

WORLD = Path(__file__).parent.parent / "data" / "world"
ASKED = ("dog", "car")
TURN_RIGHT, ORIENTATION = 6, 0x112
SAME_PLACE_IOU = 0.6


@pytest.fixture
def pictures(tmp_path):
    """Pictures in several formats, files that are not pictures, and the true objects."""
    folder = tmp_path / "my pictures"
    (folder / "below").mkdir(parents=True)
    truth = json.loads((WORLD / "truth.json").read_text())
    for path in WORLD.glob("*.png"):
        (folder / path.name).write_bytes(path.read_bytes())
    with Image.open(WORLD / "dog_in_a_forest.png") as forest:
        exif = Image.Exif()
        exif[ORIENTATION] = TURN_RIGHT
        turned = forest.convert("RGB").transpose(Image.Transpose.ROTATE_90)
        turned.save(folder / "below" / "turned.jpg", exif=exif, quality=98)
    with Image.open(WORLD / "car_in_a_desert.png") as desert:
        desert.convert("CMYK").save(folder / "below" / "cmyk.jpg", quality=98)
    truth |= {"turned": truth["dog_in_a_forest"], "cmyk": truth["car_in_a_desert"]}
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 and no more")
    (folder / "copy.png").write_bytes((folder / "dog_in_a_forest.png").read_bytes())
    return folder, truth


def test_a_person_s_pictures_are_labelled_and_judged(factory, pictures, tmp_path):
    folder, truth = pictures
    told = factory.call_json("annotate", str(folder), "--labels", ",".join(ASKED), "--workers", "1")
    assert {one["name"] for one in told["pictures"]["refused"]} == {
        "broken.jpg",
        "dog_in_a_forest.png",
    }
    assert told["pictures"]["added"] == told["made"]["imported"] == len(truth)
    assert told["made"]["edited"] == 0
    assert (told["failed"], told["problems"]["quarantined"]) == (False, 0)

    with factory.sessions() as session:
        for candidate in session.scalars(select(Candidate)):
            stem = Path(candidate.source_name).stem.replace("copy", "dog_in_a_forest")
            there = [one for one in truth[stem]["objects"] if one["label"] in ASKED]
            found = sorted(candidate.annotations, key=lambda one: one.label)
            assert [one.label for one in found] == sorted(one["label"] for one in there), stem
            assert (candidate.reason == "label_not_found") == (not there), stem
            for one, annotation in zip(there, found, strict=True):
                assert boxes.iou(one["box_xyxy"], annotation.box_xyxy) >= SAME_PLACE_IOU

    exported = factory.call("export", "coco", "--out", str(tmp_path / "coco"), "--verdict", "any")
    assert exported.returncode == 0, exported.stderr
    coco = json.loads((tmp_path / "coco" / "annotations" / "instances_train.json").read_text())
    assert {image["source_name"] for image in coco["images"]} >= {"below/turned.jpg"}
    assert {one["name"] for one in coco["categories"]} >= set(ASKED)
    card = (tmp_path / "coco" / "README.md").read_text()
    assert "imported pictures labelled by models" in card
    assert "factory annotate FOLDER --labels dog,car" in card
    assert "stable_diffusion" not in card


def test_an_accepted_picture_is_the_parent_of_edits_and_fills(factory, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    with Image.open(WORLD / "dog_on_a_beach.png") as picture:
        larger = picture.convert("RGB").resize((128, 128), Image.Resampling.NEAREST)
        larger.save(folder / "dog.png")
    made = factory.call_json("annotate", str(folder), "--vary")["made"]
    assert (made["imported"], made["generated"], made["edited"]) == (1, 0, 2)
    assert made["filled"]
    with factory.sessions() as session:
        candidates = session.scalars(select(Candidate)).all()
        assert {c.parent.source_name for c in candidates if c.origin == "edited"} == {"dog.png"}
        assert {(c.width_px, c.height_px) for c in candidates} == {
            (64, 64)
        }  # the size of generated images
