"""Masks end at their boxes, and YOLO's coordinates never leave the image."""

import json

import numpy as np
import pytest

from chatgenimage.db.models import Annotation, Candidate
from chatgenimage.db.object_reviews import objects_of
from chatgenimage.factory.export.objects import ExportedObject, object_of
from chatgenimage.factory.export.yolo import UNITS, to_box
from chatgenimage.workers import masks
from tests import rows
from tests.factory import exports
from tests.factory.exports import export_as

SIZE = (rows.SIZE_PX, rows.SIZE_PX)
BOX = (10.5, 8.0, 30.0, 40.25)


@pytest.fixture
def sticking_out_place(place):
    """One image with a mask of all pixels, larger than its box."""
    with place.sessions.begin() as session:
        batch = rows.batch_of(session, rows.add_run(session, ("dog",)))
        candidate = rows.add_candidate(place, session, batch)
        everything = np.ones((rows.SIZE_PX, rows.SIZE_PX), dtype=bool)
        candidate.annotations.append(rows.annotation("dog", BOX, everything))
    return place


def inside():
    mask = np.zeros((rows.SIZE_PX, rows.SIZE_PX), dtype=bool)
    mask[8:41, 10:30] = True
    return mask


def as_found(annotation):
    """Return the object that a candidate with this one annotation has."""
    side = rows.SIZE_PX
    [found] = objects_of(Candidate(annotations=[annotation], width_px=side, height_px=side))
    return found


@pytest.mark.parametrize("encoding", ["rle", "polygons"])
def test_coco_masks_end_at_the_box_and_the_area_follows(sticking_out_place, tmp_path, encoding):
    export_as(sticking_out_place, "coco", tmp_path / "coco", masks=encoding)
    coco = exports.read_coco(tmp_path / "coco" / "annotations" / "instances_train.json")
    [found] = coco.anns.values()
    np.testing.assert_array_equal(coco.annToMask(found), inside())
    assert found["area"] == np.count_nonzero(inside())
    assert found["bbox"] == [10.5, 8.0, 19.5, 32.25]


def test_yolo_polygons_and_metadata_end_at_the_box(sticking_out_place, tmp_path):
    export_as(sticking_out_place, "yolo-segment", tmp_path / "yolo")
    [file] = (tmp_path / "yolo" / "labels" / "train").iterdir()
    corners = np.array(file.read_text().split()[1:], dtype=float).reshape(-1, 2) * rows.SIZE_PX
    assert corners.min(axis=0).tolist() == [10, 8]
    assert corners.max(axis=0).tolist() == [30, 41]
    export_as(sticking_out_place, "imagefolder", tmp_path / "folder")
    [line] = (tmp_path / "folder" / "train" / "metadata.jsonl").read_text().splitlines()
    assert json.loads(line)["objects"]["area"] == [np.count_nonzero(inside())]


def test_the_stored_mask_stays_as_it_is(sticking_out_place, tmp_path):
    export_as(sticking_out_place, "coco", tmp_path / "coco")
    with sticking_out_place.sessions() as session:
        stored = session.get_one(Annotation, 1)
        assert stored.area_px == rows.SIZE_PX**2
        [found] = objects_of(session.get_one(Candidate, stored.candidate_id))
        assert object_of(found, "dog", SIZE).rle == masks.encode(inside())


def test_a_mask_that_fits_is_kept_bit_by_bit():
    fits = rows.annotation("dog", BOX, inside())
    assert object_of(as_found(fits), "dog", SIZE).rle == fits.rle


def test_boxes_and_masks_are_scaled_to_the_original():
    mask, box = inside(), (10.5, 8.0, 30.0, 40.25)
    found = object_of(as_found(rows.annotation("dog", box, mask)), "dog", (128, 160))
    assert found.box_xyxy == (21.0, 20.0, 60.0, 100.625)
    assert found.rle["size"] == [160, 128]
    rows_of, columns = np.nonzero(masks.decode(found.rle))
    # The pixel from 10 to 11 is 20 to 22 now, and the box touches it from 21 on.
    assert (columns.min(), columns.max() + 1, rows_of.min(), rows_of.max() + 1) == (21, 60, 20, 101)
    assert found.area_px == 39 * 81


def test_yolo_boxes_never_leave_the_image_after_rounding():
    # The first one was seen: its upper side was read as -4.8e-7.
    random = np.random.default_rng(0)
    for _ in range(2000):
        side = int(random.integers(16, 1400))
        near, far = sorted(random.uniform(0, side, 2))
        for least, most in ((0.0, far), (near, float(side)), (near, far), (-1e-5, side + 1e-5)):
            box = (least, least, most, most)
            found = ExportedObject(1, 1, "dog", 0.9, box, masks.encode(inside()), 1)
            for dtype in (np.float64, np.float32):
                x, y, width, height = np.array(to_box(found, (side, side))) / UNITS
                shares = [dtype(f"{share:.6f}") for share in (x, y, width, height)]
                assert shares[1] - shares[3] / dtype(2) >= 0
                assert shares[0] + shares[2] / dtype(2) <= 1
                assert abs((x - width / 2) * side - max(least, 0)) <= 2e-6 * side
