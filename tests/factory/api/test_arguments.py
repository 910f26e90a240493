"""Arguments of the Python API: what the command line refuses is refused, with a typed error."""

from collections.abc import Callable

import pytest

from chatgenimage import annotate, export, open_store, run, submit, watch
from chatgenimage.factory.errors import CannotWrite, SettingsError, UnknownKeyword

FUNCTIONS: dict[str, Callable[..., object]] = {
    "submit": submit,
    "run": run,
    "watch": watch,
    "annotate": annotate,
}
WRONG = [
    ("submit", {"labels": 3}, "`labels` is wrong: expected text, or several, found int"),
    ("submit", {"labels": None}, "`labels` is wrong: expected text, or several, found NoneType"),
    ("submit", {"labels": "dog", "files": [3]}, "`files` is wrong: expected a path"),
    ("submit", {"labels": "dog", "seed": -1}, "`seed` is wrong"),
    ("submit", {"labels": "dog", "seed": 2**63}, "`seed` is wrong"),
    ("submit", {"labels": "dog", "seed": "x"}, "`seed` is wrong"),
    ("submit", {"labels": "dog", "budget": "much"}, "`budget` is wrong"),
    ("submit", {"labels": "dog", "budget": float("nan")}, "`budget` is wrong"),
    ("submit", {"labels": "dog", "budget_tokens": -1}, "`budget_tokens` is wrong"),
    ("submit", {"labels": "dog", "budget_tokens": 2**63}, "`budget_tokens` is wrong"),
    ("run", {"labels": "dog", "workers": 0}, "`workers` is wrong"),
    ("watch", {"run": "a"}, "`run` is wrong"),
    ("watch", {"interval_s": 0}, "`interval_s` is wrong"),
    ("annotate", {"folder": 3}, "`folder` is wrong"),
    ("annotate", {"folder": "a\0b"}, "a path has no NUL"),
]
WRONG_OF_EXPORTS = [
    ({"classes": ["dog", "dog"]}, "names 'dog' twice"),
    ({"classes": []}, "names no class"),
    ({"classes": [3]}, "`classes` is wrong"),
    ({"classes": [" dog"]}, "cannot be the name of a class"),
    ({"merge": {"dog": ""}}, "cannot be the name of a class"),
    ({"merge": {"dog": "a\nb"}}, "cannot be the name of a class"),
    ({"merge": {"dog": "a\x1bb"}}, "cannot be the name of a class"),
    ({"merge": ["dog=cat"]}, "`merge` is wrong"),
    ({"splits": ["train"]}, "`splits` is wrong"),
    ({"seed": 1.5}, "`seed` is wrong"),
    ({"run": [1]}, "`run` is wrong"),
    ({"round": "first"}, "`round` is wrong"),
    ({"label": 3}, "`label` is wrong"),
    ({"objects": "a\0b"}, "no database stores"),
    ({"label": "\ud800"}, "no database stores"),
    ({"scores": {"seam": 0.5}}, "`scores` is wrong"),
    ({"object_count": 3}, "`object_count` is wrong"),
    ({"out": "a\0b"}, "a path has no NUL"),
]


@pytest.mark.parametrize(("name", "keywords", "message"), WRONG, ids=str)
def test_a_wrong_value_is_refused(place, name, keywords, message):
    with pytest.raises(SettingsError, match=message):
        FUNCTIONS[name](**keywords, data_dir=place.data_dir)


@pytest.mark.parametrize(("keywords", "message"), WRONG_OF_EXPORTS, ids=ascii)
def test_a_wrong_value_of_an_export_is_refused(filled_place, tmp_path, keywords, message):
    arguments = {"format": "coco", "out": tmp_path / "out", **keywords}
    with pytest.raises(SettingsError, match=message):
        export(**arguments, data_dir=filled_place.data_dir)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_unknown_keyword_is_refused(name):
    first = {"annotate": "folder", "watch": "run"}.get(name, "labels")
    with pytest.raises(UnknownKeyword, match=f"{name}.. is called 'profle'; did you mean"):
        FUNCTIONS[name](**{first: "1"}, profle="micro")


@pytest.mark.parametrize("name", ["a" * 300, "b\udcff"], ids=ascii)
def test_a_folder_that_cannot_be_named_so_is_refused(filled_place, tmp_path, name):
    with pytest.raises(CannotWrite, match="name another folder"):
        export("coco", tmp_path / name, data_dir=filled_place.data_dir)


def test_values_are_converted_as_annotated(filled_place, tmp_path):
    names = (name for name in ("dog", "tree"))
    done = export("coco", str(tmp_path / "out"), classes=names, data_dir=filled_place.data_dir)
    assert done.classes == 2
    with open_store(str(filled_place.data_dir)) as store:
        assert store.count(run="1", label={"dog"}) == store.count(run=1, label="dog") > 0
    with pytest.raises(SettingsError, match="`data_dir` is wrong"):
        open_store(3)
