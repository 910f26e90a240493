"""`export` of the Python API: the same datasets as `factory export`, and how to repeat them."""

import json
import re
import shlex

import pytest

from chatgenimage import export
from chatgenimage.factory.errors import NothingFound, SettingsError, UnknownName
from tests.factory.answers import answered

COMMAND = re.compile(r"^factory export .*$", re.MULTILINE)


@pytest.mark.parametrize(
    "keywords",
    [
        {},
        {"label": "dog", "origin": "generated", "verdict": "any"},
        {"splits": {"train": 0.5, "val": 0.5}, "seed": 3},
        {"classes": ["tree", "canine"], "merge": {"dog": "canine"}, "masks": "polygons"},
        {"scores": {"clip_similarity": (0.1, 0.9)}, "object_count": (2, None), "caption": "bea"},
        {"use_reviews": True, "round": 1, "objects": ["dog"]},
    ],
    ids=str,
)
def test_the_card_has_the_command_that_writes_the_same_dataset(
    factory, filled_place, tmp_path, monkeypatch, keywords
):
    one, other = tmp_path / "one" / "out", tmp_path / "other"
    one.parent.mkdir()
    done = export("coco", one, run=1, data_dir=filled_place.data_dir, **keywords)
    (command,) = COMMAND.findall((one / "README.md").read_text())
    other.mkdir()
    monkeypatch.chdir(other)
    (other / "classes.txt").write_bytes((one / "classes.txt").read_bytes())
    again = json.loads(answered(factory(*shlex.split(command)[1:], "--json")))
    assert (again["images"], again["splits"]) == (done.images, done.splits)
    names = {path.relative_to(one) for path in one.rglob("*.*")}
    assert {path.relative_to(other / "out") for path in (other / "out").rglob("*.*")} == names
    for name in names - {path for path in names if path.name in {"README.md", "export.json"}}:
        if name.suffix == ".json":
            assert (other / "out" / name).read_bytes() == (one / name).read_bytes()


def test_an_earlier_export_is_replaced_only_on_request(filled_place, tmp_path):
    folder = tmp_path / "out"
    done = export("yolo-detect", folder, data_dir=filled_place.data_dir)
    assert (done.folder, done.images) == (folder, 6)
    assert export("coco", folder, overwrite=True, data_dir=filled_place.data_dir).format == "coco"


@pytest.mark.parametrize(
    ("keywords", "kind", "message"),
    [
        ({"format": "cocco"}, UnknownName, "did you mean 'coco'"),
        ({"labl": "dog"}, UnknownName, "did you mean 'label'"),
        ({"verdict": "good"}, UnknownName, "there are: accepted, rejected"),
        ({"limit": 3}, SettingsError, "no `limit`"),
        ({"object_area_px": (9, None)}, SettingsError, "no `object_area_px`"),
        ({"splits": "train=2"}, SettingsError, "is not a split"),
        ({"reason": "blurry"}, NothingFound, "no candidate"),
    ],
    ids=str,
)
def test_a_wrong_keyword_is_refused(filled_place, tmp_path, keywords, kind, message):
    arguments = {"format": "coco", "out": tmp_path / "out", **keywords}
    with pytest.raises(kind, match=message):
        export(**arguments, data_dir=filled_place.data_dir)
    assert not (tmp_path / "out").exists()
