import io
from pathlib import Path

import pytest

from chatgenimage.factory.errors import BadLabels
from chatgenimage.factory.submission.class_phrases import read_classes


def test_names_are_classes_in_the_order_in_which_they_were_asked_for():
    classes = read_classes(["tree", " dog ", "Tree"])
    assert (classes.names, classes.phrases) == (("tree", "dog"), {})


def test_several_phrases_name_one_class():
    classes = read_classes(["striped shirt=referee", "dog", "puppy=dog", "whistle=Referee"])
    assert classes.names == ("referee", "dog")
    assert classes.phrases == {"referee": ("striped shirt", "whistle"), "dog": ("dog", "puppy")}


def test_classes_come_from_files_too(tmp_path):
    (tmp_path / "a.txt").write_text("# classes\ndog\nstriped shirt = referee\n")
    (tmp_path / "b.csv").write_text("label\nhouse\n")
    (tmp_path / "c.jsonl").write_text('{"label": "puppy=dog"}\n')
    classes = read_classes(["car"], [tmp_path / name for name in ("a.txt", "b.csv", "c.jsonl")])
    assert classes.names == ("car", "dog", "referee", "house")
    assert classes.phrases == {"dog": ("dog", "puppy"), "referee": ("striped shirt",)}
    assert read_classes(files=[Path("-")], stdin=io.BytesIO(b"dog\ncar\n")).names == ("dog", "car")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ([], "no labels"),
        (["a=b=c"], "EQUALS SIGN"),
        (["=dog"], "is empty"),
        (["dog="], "is empty"),
        (["puppy=dog", "puppy=cat"], "'puppy' is given for two classes, 'dog' and 'cat'"),
    ],
)
def test_what_is_no_class_is_refused(words, problem):
    with pytest.raises(BadLabels, match=problem):
        read_classes(words)


def test_a_number_of_images_has_no_meaning_for_pictures(tmp_path):
    (tmp_path / "a.csv").write_text("label,per_label\ndog,8\n")
    with pytest.raises(BadLabels, match=r"a\.csv, line 2: `per_label` has no meaning"):
        read_classes(files=[tmp_path / "a.csv"])
