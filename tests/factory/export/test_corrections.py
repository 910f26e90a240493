"""Objects that people corrected, in exports with `--use-reviews`."""

import numpy as np
import pytest

from chatgenimage.db.models import ClassNumber
from chatgenimage.db.object_reviews import ADDED_FROM, ObjectChange, review_objects
from chatgenimage.db.states import ObjectAction
from chatgenimage.factory.export.class_choice import ClassChoice
from tests import rows
from tests.factory import exports
from tests.factory.exports import export_as

MOVED = (16.0, 24.0, 40.0, 40.0)
"""Cuts the dog at `rows.DOG_BOX`."""
EMPTY = (40.0, 0.0, 60.0, 10.0)


@pytest.fixture
def corrected(place):
    """Five images of a dog and a tree: as they are, renamed, moved, deleted, and with a new box."""
    changes = [
        None,
        ObjectChange(ObjectAction.CHANGE, "a3", label="wolf"),
        ObjectChange(ObjectAction.CHANGE, "a5", box_xyxy=MOVED),
        ObjectChange(ObjectAction.DELETE, "a7"),
        ObjectChange(ObjectAction.ADD, label="fox", box_xyxy=EMPTY),
        ObjectChange(ObjectAction.CHANGE, "a11", box_xyxy=EMPTY),
    ]
    with place.sessions.begin() as session:
        batch = rows.batch_of(session, rows.add_run(session, ("dog",)))
        for change in changes:
            found = [("dog", "brown", rows.DOG_BOX), ("tree", "green", rows.TREE_BOX)]
            added = rows.add_candidate(place, session, batch, found)
            if change is not None:
                review_objects(session, added.id, change, "ann@studio")
    return place


def read(folder):
    coco = exports.read_coco(folder / "annotations" / "instances_train.json")
    names = {number: one["name"] for number, one in coco.cats.items()}
    found = [(one["image_id"], names[one["category_id"]]) for one in coco.anns.values()]
    return coco, sorted(found)


def test_corrections_are_exported_on_request_only(corrected, tmp_path):
    export_as(corrected, "coco", tmp_path / "plain")
    _, found = read(tmp_path / "plain")
    assert found == [(number, name) for number in range(1, 7) for name in ("dog", "tree")]
    done = export_as(corrected, "coco", tmp_path / "reviewed", use_reviews=True)
    sheets = [(tmp_path / name / "samples.png").read_bytes() for name in ("plain", "reviewed")]
    assert sheets[0] != sheets[1]
    coco, found = read(tmp_path / "reviewed")
    changed = {(1, "dog"), (1, "tree"), (2, "wolf"), (2, "tree"), (3, "dog"), (3, "tree")}
    changed |= {(4, "tree"), (5, "dog"), (5, "tree"), (5, "fox"), (6, "dog"), (6, "tree")}
    assert found == sorted(changed)
    assert done.annotations == 12
    told = "Objects that people corrected: 3 changed, 1 added, 1 deleted."
    assert any(note.startswith(told) for note in done.notes)
    assert told in " ".join((tmp_path / "reviewed/README.md").read_text().split())

    moved, fox, emptied = coco.anns[5], coco.anns[ADDED_FROM + 4], coco.anns[11]
    assert moved["bbox"] == [16.0, 24.0, 24.0, 16.0]
    mask = coco.annToMask(moved)
    rows_of, columns = np.nonzero(mask)
    assert columns.min() >= 16
    assert rows_of.max() < 40
    assert 0 < moved["area"] < 24 * 16
    for one in (fox, emptied):  # no mask of a model is there: the mask is the box
        assert (one["bbox"], one["area"]) == ([40.0, 0.0, 20.0, 10.0], 200)
    assert fox["score"] == 1.0


def test_new_names_get_class_numbers_at_the_end_and_can_be_chosen(corrected, tmp_path):
    export_as(corrected, "yolo-detect", tmp_path / "plain")
    export_as(corrected, "yolo-detect", tmp_path / "reviewed", use_reviews=True)
    with corrected.sessions() as session:
        names = [one.name for one in session.query(ClassNumber).order_by(ClassNumber.number)]
    assert names == ["dog", "tree", "fox", "wolf"]
    wolves = export_as(
        corrected, "coco", tmp_path / "wolves", use_reviews=True, choice=ClassChoice(("wolf",))
    )
    assert (wolves.images, wolves.annotations) == (1, 1)
    assert wolves.left_out_objects == {"tree": 1}


def test_labels_that_people_gave_are_no_extras_but_moved_and_deleted_boxes_give_none(
    corrected, tmp_path
):
    with corrected.sessions.begin() as session:
        review_objects(session, 2, ObjectChange(ObjectAction.DELETE, "a4"), "ann@studio")
        moved = ObjectChange(ObjectAction.CHANGE, "a6", box_xyxy=MOVED)
        review_objects(session, 3, moved, "ann@studio")
    options = {"choice": ClassChoice(), "overwrite": True}
    done = export_as(corrected, "coco", tmp_path / "out", use_reviews=True, **options)
    assert done.classes == 3  # dog, fox, wolf
    assert done.left_out_objects == {"tree": 5}
    done = export_as(corrected, "coco", tmp_path / "out", **options)
    assert (done.classes, done.left_out_objects) == (1, {"tree": 6})


@pytest.mark.parametrize("format_", ["yolo-segment", "voc", "parquet", "imagefolder"])
def test_other_formats_have_the_corrected_objects_too(corrected, tmp_path, format_):
    assert export_as(corrected, format_, tmp_path / "out", use_reviews=True).annotations == 12
