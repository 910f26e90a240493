"""Labels with a size and a negative prompt of their own, through the whole chain."""

import json

from PIL import Image
from sqlalchemy import select

from chatgenimage.db.models import Candidate

TABLE = "label,size,negative_prompt\ndog,96x64,\nhouse,2:3,a night sky\ntree,,\n"
SIZES = {"dog": (96, 64), "house": (56, 80), "tree": (64, 64)}


def test_images_have_the_size_of_their_label_to_the_export(factory, tmp_path):
    (tmp_path / "labels.csv").write_text(TABLE)
    words = ("--file", str(tmp_path / "labels.csv"), "--per-label", "3", "--seed", "3")
    made = factory.call_json("run", *words, "--workers", "1")
    assert made["problems"]["quarantined"] == 0
    with factory.sessions() as session:
        candidates = session.scalars(select(Candidate)).all()
        found = {(one.label.name, one.width_px, one.height_px) for one in candidates}
        assert found == {(label, *size) for label, size in SIZES.items()}
        assert {one.origin for one in candidates} == {"generated", "edited", "filled"}
        [house] = [one.id for one in candidates if one.key == "b0/g0" and one.label.name == "house"]
        named = {one.label.name for one in candidates if one.negative_prompt == "a night sky"}
        assert named == {"house"}
        assert all(one.origin == "generated" for one in candidates if one.negative_prompt)
    assert factory.call_json("replay", str(house))["identical"]
    assert_the_record_names_it(factory, house)
    assert_exports_have_the_sizes(factory, tmp_path)


def assert_the_record_names_it(factory, candidate_id):
    shown = factory.call_json("show", str(candidate_id))
    assert (shown["size_wh"], shown["negative_prompt"]) == ([56, 80], "a night sky")
    assert "negative a night sky" in factory.call("show", str(candidate_id)).stdout


def assert_exports_have_the_sizes(factory, tmp_path):
    factory.call_json("export", "coco", "--out", str(tmp_path / "coco"), "--run", "1")
    [annotations] = (tmp_path / "coco").rglob("instances_train.json")
    for image in json.loads(annotations.read_text())["images"]:
        [file] = (tmp_path / "coco").rglob(image["file_name"])
        size = (image["width"], image["height"])
        with Image.open(file) as stored:
            assert stored.size == size == SIZES[image["label"]]
        assert image["negative_prompt"] in {"", "a night sky"}
