"""Splits: families stay together by content, and no split or label is lost in silence."""

import hashlib
import json
import tracemalloc

import pytest

from chatgenimage.factory.errors import SettingsError, SplitsIncomplete
from chatgenimage.factory.export.families import Families, Tag
from chatgenimage.factory.export.request import ExportRequest
from chatgenimage.factory.export.splits import parse_splits
from tests import rows
from tests.factory import exports
from tests.factory.exports import export_as

THREE = "train=0.8,val=0.1,test=0.1"


@pytest.fixture(params=["sqlite", "postgres"])
def place(request):
    return request.getfixturevalue(f"{request.param}_place")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "dataset"


def sha(number):
    return hashlib.sha256(str(number).encode()).hexdigest()


def assign(text, labels, seed=0):
    """Return the assignment of families, one for each label, and their splits."""
    splits = parse_splits(text, seed)
    families = Families(splits)
    for number, label in enumerate(labels):
        families.add(sha(number), [Tag("image", label), Tag("object", label)])
    assignment = families.assign()
    return assignment, [assignment.of(sha(number)) for number in range(len(labels))]


def splits_of(out, *keys):
    """Return split and image by candidate, as exported."""
    return {
        image["candidate_id"]: (file.stem.removeprefix("instances_"), image)
        for file in out.glob("annotations/*.json")
        for image in json.loads(file.read_text("utf-8"))["images"]
    }


def add_families(place, labels, batches):
    with place.sessions.begin() as session:
        run = rows.add_run(session, labels, batches=batches)
        for batch in rows.batches_of(session, run):
            rows.add_family(place, session, batch)


def add_pictures(place, colours, **columns):
    """Add a run of pictures, one for each background colour, in this order."""
    with place.sessions.begin() as session:
        run = rows.add_run(session, ["dog"])
        batch = rows.batch_of(session, run)
        for index, colour in enumerate(colours):
            candidate = rows.add_candidate(
                place, session, batch, [("dog", "peru", rows.DOG_BOX)], key=f"b0/i{index}",
                origin="imported", background=colour, **columns,
            )  # fmt: skip
            # The store names a picture by its pixels alone.
            candidate.sha256 = place.images.put(
                place.images.get(candidate.sha256), {"origin": "imported"}
            )


def test_every_split_gets_every_label_that_has_families_enough():
    labels = ["dog"] * 7 + ["house"] * 6
    everywhere = {(label, split) for label in labels for split in ("train", "val", "test")}
    for seed in range(200):
        assignment, found = assign(THREE, labels, seed)
        assert assignment.lacking == {}
        assert set(zip(labels, found, strict=True)) == everywhere


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_the_largest_splits_get_the_only_families(count):
    for seed in range(50):
        assignment, found = assign(THREE, ["dog"] * count, seed)
        assert set(found) == set(["train", "val", "test"][:count])
        assert set(assignment.lacking) == {"val", "test"} - set(found)


def test_no_split_is_empty_though_no_label_has_two_families():
    for seed in range(50):
        assignment, found = assign("train=0.9,val=0.1", ["dog", "house", "tree"], seed)
        assert set(found) == {"train", "val"}
        assert {len(lacking) for lacking in assignment.lacking.values()} == {1, 2}


def test_only_what_is_needed_is_moved_and_more_data_takes_it_back():
    few, _ = assign(THREE, ["dog"] * 13)
    many, found = assign(THREE, ["dog"] * 20_000)
    assert 0 < len(few.moved) <= 2
    assert many.moved == {}
    shares = {name: found.count(name) / len(found) for name in many.splits.names}
    assert shares == pytest.approx({"train": 0.8, "val": 0.1, "test": 0.1}, abs=0.01)
    for seed in range(20):  # a family that was not moved keeps its place
        before, splits = assign(THREE, ["dog"] * 40, seed)
        after, later = assign(THREE, ["dog"] * 60, seed)
        changed = sum(was != now for was, now in zip(splits, later, strict=False))
        assert changed <= len(before.moved) + len(after.moved)


def test_a_hundred_thousand_families_take_ten_megabytes():
    splits = parse_splits(THREE)
    names = [sha(number) for number in range(100_000)]
    tags = [[Tag("image", str(label)), Tag("object", str(label))] for label in range(100)]
    tracemalloc.start()
    families = Families(splits)
    for number, name in enumerate(names):
        families.add(name, tags[number % 100])
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 11_000_000


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("train=0.8,val=0.1", "sum to 0.9"),
        ("train=0.5,train=0.5", "twice"),
        ("train=0.5,val=0.2,Valid=0.3", "twice"),
        ("train", "is not a split"),
        ("train=much", "is not a split"),
        ("../train=1", "is not a split"),
        ("train=1,val=0", "is not a split"),
    ],
)
def test_invalid_splits_are_refused(text, told):
    with pytest.raises(SettingsError, match=told):
        parse_splits(text)


def test_shares_that_add_up_save_for_rounding_are_fine():
    for text in ("a=0.7,b=0.2,c=0.1", "a=0.6,b=0.3,c=0.1", "a=0.333333,b=0.333333,c=0.333334"):
        assert str(parse_splits(text)) == text


def test_families_stay_together_also_without_their_root(place, out):
    add_families(place, ("dog", "house"), 12)
    done = export_as(place, "coco", out, splits="train=0.4,val=0.3,test=0.3")
    assert (sum(done.splits.values()), done.lacking) == (72, {})
    found = splits_of(out)
    family = {}
    for split, image in found.values():
        root = image
        while root["parent_id"]:
            root = found[root["parent_id"]][1]
        family.setdefault(root["candidate_id"], set()).add(split)
        family[root["candidate_id"]].add(split)
    assert len(family) == 24
    assert all(len(splits) == 1 for splits in family.values())
    fills = out.with_name("fills")
    export_as(place, "coco", fills, splits="train=0.4,val=0.3,test=0.3", origin="filled")
    for candidate_id, (split, _) in splits_of(fills).items():
        assert split == found[candidate_id][0]


def test_a_picture_is_in_one_split_though_two_runs_list_it_in_two_places(place, out):
    colours = ["red", "green", "blue", "gold", "navy", "pink", "grey", "teal"]
    add_pictures(place, colours)
    add_pictures(place, ["white", *colours])
    splits = "train=0.5,val=0.5"
    export_as(place, "coco", out, splits=splits)
    by_content = {}
    for split, image in splits_of(out).values():
        by_content.setdefault(image["file_name"].split("-")[1], set()).add(split)
    assert len(by_content) == 9
    assert all(len(splits) == 1 for splits in by_content.values())
    assert set().union(*by_content.values()) == {"train", "val"}


def test_gaps_are_in_the_output_the_manifest_and_the_card(place, out):
    add_families(place, ("dog", "house"), 1)
    done = export_as(place, "coco", out, splits=THREE)
    assert list(done.splits.values()).count(0) == 1
    assert "The split test has no image: there are too few families of images." in str(done)
    (lost,) = done.lacking["val"]
    assert f"The split val has nothing of {lost}." in str(done)
    manifest = json.loads((out / "export.json").read_text("utf-8"))
    assert manifest["splits"] == done.splits
    assert manifest["lacking"]["test"] == ["dog", "house"]
    card = (out / "README.md").read_text("utf-8")
    assert "The split test has no image" in card


def test_shares_that_are_far_from_those_asked_for_are_in_the_output_and_on_the_card(place, out):
    add_families(place, ("dog", "house"), 3)
    done = export_as(place, "coco", out, splits=THREE)
    assert done.splits == {"train": 6, "val": 6, "test": 6}
    assert done.shares == {"train": 0.3333, "val": 0.3333, "test": 0.3333}
    note = (
        "Shares of the images, and those asked for: train 33% (80%), val 33% (10%), test 33% (10%)"
    )
    assert note in str(done)
    card = (out / "README.md").read_text("utf-8")
    assert note in card
    assert "Shares of the images: train 33.3%, val 33.3%, test 33.3%." in card
    near = export_as(place, "coco", out, splits="train=1", overwrite=True)
    assert near.shares == {"train": 1.0}
    assert "asked for:" not in str(near)


def test_strict_splits_refuse_gaps_and_write_nothing(place, out):
    add_families(place, ("dog",), 2)
    request = exports.request_of("coco", out, splits=THREE, strict_splits=True)
    with pytest.raises(SplitsIncomplete, match="test has no image") as refused:
        exports.run(place, request)
    assert refused.value.exit_code == 1
    assert not out.exists()
    assert isinstance(request, ExportRequest)
    request = exports.request_of("coco", out, splits="train=0.8,val=0.2", strict_splits=True)
    assert set(exports.run(place, request).splits) == {"train", "val"}
