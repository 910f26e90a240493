"""`datasets` loads every export, whatever is missing in one split, one file or one sample."""

import json
import tarfile

import pytest

from chatgenimage.db.models import Candidate, Mark
from chatgenimage.factory.errors import LibraryMissing
from chatgenimage.factory.export import shards
from tests import rows
from tests.factory import exports
from tests.factory.exports import export_as

pytestmark = pytest.mark.models

NAMES = ["imagefolder", "webdataset", "parquet"]
KINDS = ("float", "int", "str")


def add_images(place, *images):
    """Add one-image families; each image is a number of objects and what differs in its columns."""
    with place.sessions.begin() as session:
        run = rows.add_run(session, ["dog"], batches=len(images))
        for index, (batch, (count, columns)) in enumerate(
            zip(rows.batches_of(session, run), images, strict=True)
        ):
            objects = [("dog", "peru", rows.DOG_BOX)] * count
            yield rows.add_candidate(
                place, session, batch, objects, background=(index, 90, 90), **columns
            )


def records(loaded):
    """Return the records of a loaded dataset, by split."""
    return {
        split: [row.get("json", row) for row in part.remove_columns(_pictures(part))]
        for split, part in loaded.items()
    }


def _pictures(part):
    return [name for name in ("image", "png") if name in part.features]


def assert_complete(value):
    if isinstance(value, dict):
        for each in value.values():
            assert_complete(each)
    elif isinstance(value, list):
        for each in value:
            assert_complete(each)
    else:
        assert type(value).__name__ in KINDS, value


@pytest.mark.parametrize("name", NAMES)
def test_one_review_and_two_splits(place, out, load_dataset, name):
    first, *_ = add_images(place, *[(1, {})] * 12)
    with place.sessions.begin() as session:
        session.add(Mark(candidate_id=first.id, is_good=True, author="me@here"))
    export_as(place, name, out, splits=exports.HALVES)
    loaded = records(load_dataset(out))
    assert set(loaded) == {"train", "test"}
    marks = [row["mark"] for rows_of in loaded.values() for row in rows_of]
    assert sorted(marks) == [*[""] * 11, "good"]
    assert_complete(loaded)


@pytest.mark.parametrize("name", NAMES)
def test_one_negative_prompt_among_many(place, out, load_dataset, name):
    first, *_ = add_images(place, *[(1, {})] * 6)
    with place.sessions.begin() as session:
        model = rows.MODEL | {"settings": {"label_negative_prompt": "snow"}}
        session.get_one(Candidate, first.id).model = model
    export_as(place, name, out)
    [found] = records(load_dataset(out)).values()
    assert sorted(row["negative_prompt"] for row in found) == [*[""] * 5, "snow"]


@pytest.mark.parametrize("name", NAMES)
def test_own_pictures_next_to_made_ones(place, out, load_dataset, name):
    own = {"origin": "imported", "source_name": "a/b.jpg"}
    sized = {"source_width_px": 4000, "source_height_px": 3000}
    list(add_images(place, *[(1, {})] * 6, (1, own | sized), (0, own)))
    export_as(place, name, out)
    [found] = records(load_dataset(out)).values()
    sources = [(row["source_name"], row["source_width"], row["source_height"]) for row in found]
    assert sorted(sources) == [*[("", 0, 0)] * 6, ("a/b.jpg", 0, 0), ("a/b.jpg", 4000, 3000)]
    assert_complete(found)


@pytest.mark.parametrize("name", NAMES)
def test_five_made_images_and_then_an_edited_one(place, out, load_dataset, name):
    made = list(add_images(place, *[(1, {"caption": None})] * 5))
    with place.sessions.begin() as session:
        batch = session.merge(made[0]).batch
        edited = {"origin": "edited", "key": "z", "parent": made[0]}
        rows.add_candidate(place, session, batch, [("tree", "green", rows.TREE_BOX)], **edited)
    export_as(place, name, out)
    [found] = records(load_dataset(out)).values()
    assert [row["parent_id"] for row in found] == [0, 0, 0, 0, 0, made[0].id]


@pytest.mark.parametrize("name", NAMES)
def test_five_images_without_objects_and_then_one_with(place, out, load_dataset, name):
    list(add_images(place, *[(0, {})] * 5, (2, {})))
    export_as(place, name, out)
    [found] = records(load_dataset(out)).values()
    assert [len(row["objects"]["id"]) for row in found] == [0, 0, 0, 0, 0, 2]
    assert found[-1]["objects"]["bbox"][0] == [8, 24, 22, 30]


@pytest.mark.parametrize("name", NAMES)
def test_a_split_and_a_shard_without_objects(place, out, load_dataset, monkeypatch, name):
    monkeypatch.setattr(shards, "SAMPLES_PER_SHARD", 2)
    list(add_images(place, *[(0, {})] * 9, (1, {})))
    export_as(place, name, out, splits=exports.HALVES)
    loaded = load_dataset(out)
    objects = [
        sum(len(row["objects"]["id"]) for row in found) for found in records(loaded).values()
    ]
    assert sorted(objects) == [0, 1]
    assert loaded["train"].features == loaded["test"].features


def test_without_pyarrow_a_split_without_objects_is_an_error(place, out, monkeypatch):
    list(add_images(place, *[(0, {})] * 10, *[(1, {})]))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(LibraryMissing, match=r"has an object: .* install pyarrow"):
        export_as(place, "imagefolder", out, splits="train=0.4,val=0.3,test=0.3")


@pytest.mark.parametrize("name", ["coco", "label-studio", "webdataset"])
def test_no_json_has_a_null(place, out, name):
    list(add_images(place, (0, {"caption": None, "verdict": None}), (1, {})))
    export_as(place, name, out, verdict=None)
    for path in out.rglob("*.json"):
        if path.name != "export.json":
            assert "null" not in path.read_text(), path
    for path in out.rglob("*.tar"):
        with tarfile.open(path) as tar:
            texts = [tar.extractfile(one).read() for one in tar.getnames() if one.endswith("json")]
        for text in texts:
            assert_complete(json.loads(text))


@pytest.mark.parametrize("name", NAMES[:2])
def test_the_card_states_the_features(place, out, load_dataset, name):
    list(add_images(place, (1, {})))
    export_as(place, name, out)
    stated = load_dataset(out)["train"].features
    stated = stated.get("json", stated)
    assert stated["parent_id"].dtype == "int64"
    assert stated["objects"]["segmentation"].feature["counts"].dtype == "string"
