"""`factory export`: what it prints, and how it ends."""

import json

import pytest

from tests.factory.answers import answered, refused


def test_export_says_what_it_wrote(factory, tmp_path):
    words = ("export", "coco", "--out", tmp_path / "out")
    assert "6 images (train 6), 6 annotations, 2 classes" in answered(factory(*words))
    assert "--overwrite" in refused(factory(*words))
    done = json.loads(answered(factory(*words, "--overwrite", "--json")))
    assert done == {
        "folder": str(tmp_path / "out"),
        "format": "coco",
        "images": 6,
        "annotations": 6,
        "classes": 2,
        "splits": {"train": 6},
        "shares": {"train": 1.0},
        "lacking": {},
        "left_out_objects": {"tree": 2},
        "left_out_images": 0,
        "missing_originals": 0,
        "notes": [
            (
                "Left out: objects 2 (tree 2) of classes that were not asked for; --extras "
                "exports them."
            )
        ],
        "gaps": [],
    }


def test_export_takes_chosen_and_merged_classes(factory, tmp_path):
    (tmp_path / "mine.txt").write_text("tree\ncanine\n")
    out = tmp_path / "out"
    words = ("export", "coco", "--out", out, "--map", "dog=canine", "--classes")
    told = answered(factory(*words, tmp_path / "mine.txt"))
    assert "4 images (train 4), 5 annotations, 2 classes" in told
    assert "Left out by --classes: objects 1 (house 1), images 2." in told
    card = (out / "README.md").read_text()
    assert "--classes classes.txt --map dog=canine" in card
    assert (out / "classes.txt").read_text() == "tree\ncanine\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--classes", "dog,huose"), "did you mean 'house'"),
        (("--map", "dgo=cat"), "did you mean 'dog'"),
        (("--map", "dog"), "expected OLD=NEW"),
        (("--classes", "none.txt"), "cannot be read: No such file"),
    ],
    ids=lambda value: value[-1] if isinstance(value, tuple) else "",
)
def test_unknown_classes_are_refused(factory, tmp_path, words, told):
    assert told in refused(factory("export", "coco", "--out", tmp_path / "out", *words))
    assert not (tmp_path / "out").exists()


def test_brackets_in_a_path_are_no_markup(factory, tmp_path):
    folder = tmp_path / "a[bold]b[" / "]c"
    assert str(folder) in answered(factory("export", "coco", "--out", folder))


def test_an_empty_export_is_an_error(factory, tmp_path):
    words = ["export", "coco", "--out", tmp_path / "out"]
    assert "no candidate matches" in refused(factory(*words, "--origin", "imported"))
    assert "did you mean 'dog'" in refused(factory(*words, "--label", "dogs"))
    assert "did you mean 'dog'" in refused(factory("query", "--label", "dogs"))
    assert "no run 9" in refused(factory("query", "--run", "9"))
    assert not (tmp_path / "out").exists()
