import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO
from sqlalchemy import select

from db.errors import ImageBroken, ImageMissing
from db.models import Candidate
from db.queries import CandidateFilter
from db.states import Origin, Verdict
from factory.errors import CannotWrite, NothingFound
from factory.export.coco import export_coco
from tests import rows


def export(place, out, *, overwrite=False, **wanted):
    return export_coco(
        place.sessions, place.images, out, CandidateFilter(**wanted), overwrite=overwrite
    )


def load(out):
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(out / "annotations.json"))


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def out(tmp_path):
    return tmp_path / "exports" / "dataset"


def test_the_accepted_are_written_unless_others_are_asked_for(filled_place, out):
    done = export(filled_place, out)
    assert (done.images, done.annotations, done.categories) == (6, 8, 3)
    assert {image["verdict"] for image in load(out).imgs.values()} == {"accepted"}
    assert names_in(out) == ["annotations.json", "images"]
    export(filled_place, out, verdict=Verdict.REJECTED, overwrite=True)
    assert {image["verdict"] for image in load(out).imgs.values()} == {"rejected"}


def test_masks_come_back_exactly(filled_place, out):
    export(filled_place, out, labels=("dog",), origin=Origin.FILLED)
    coco = load(out)
    _, truth = rows.paint("white", ("red", rows.DOG_BOX), ("red", rows.TREE_BOX))
    for annotation, mask in zip(coco.anns.values(), truth, strict=True):
        np.testing.assert_array_equal(coco.annToMask(annotation).astype(bool), mask)
        assert annotation["area"] == np.count_nonzero(mask)


def test_boxes_labels_and_confidences_come_back_exactly(filled_place, out):
    export(filled_place, out, labels=("dog",), origin=Origin.FILLED)
    coco = load(out)
    found = {coco.cats[a["category_id"]]["name"]: a for a in coco.anns.values()}
    x_min, y_min, x_max, y_max = rows.TREE_BOX
    assert found["tree"]["bbox"] == [x_min, y_min, x_max - x_min, y_max - y_min]
    assert (found["tree"]["score"], found["tree"]["iscrowd"]) == (0.9, 0)
    assert found["dog"]["bbox"][:2] == list(rows.DOG_BOX[:2])


def test_categories_are_numbered_by_name_from_one(filled_place, out):
    export(filled_place, out)
    names = {category["id"]: category["name"] for category in load(out).cats.values()}
    assert names == {1: "dog", 2: "house", 3: "tree"}


def test_each_image_is_the_stored_file_and_tells_where_it_came_from(filled_place, out):
    export(filled_place, out)
    with filled_place.sessions() as session:
        for image in load(out).imgs.values():
            candidate = session.get_one(Candidate, image["candidate_id"])
            file = out / "images" / image["file_name"]
            assert file.name == f"{candidate.sha256}.png"
            assert file.read_bytes() == filled_place.images.read_bytes(candidate.sha256)
            with Image.open(file) as opened:
                assert opened.size == (image["width"], image["height"])
            assert (image["caption"], image["origin"]) == (candidate.caption, candidate.origin)
            assert image["parent_id"] == candidate.parent_id


def test_the_same_rows_give_the_same_file(filled_place, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    export(filled_place, first)
    export(filled_place, second)
    assert (first / "annotations.json").read_bytes() == (second / "annotations.json").read_bytes()
    assert names_in(first / "images") == names_in(second / "images")


def test_an_image_without_objects_is_exported_too(place, out):
    with place.sessions.begin() as session:
        run = rows.add_run(session)
        rows.add_candidate(place, session, rows.batch_of(session, run))
    assert export(place, out).annotations == 0
    assert [category["name"] for category in load(out).cats.values()] == ["dog"]


def test_nothing_to_export_is_an_error_that_leaves_nothing(filled_place, out):
    with pytest.raises(NothingFound, match="factory query"):
        export(filled_place, out, labels=("cat",))
    assert not out.parent.exists()


def test_an_export_is_not_replaced_unasked(filled_place, out):
    export(filled_place, out)
    before = (out / "annotations.json").read_bytes()
    with pytest.raises(CannotWrite, match="--overwrite"):
        export(filled_place, out, labels=("dog",))
    assert (out / "annotations.json").read_bytes() == before
    export(filled_place, out, labels=("dog",), overwrite=True)
    assert len(load(out).imgs) == 3
    assert len(names_in(out / "images")) == 3
    assert names_in(out.parent) == ["dataset"]


def test_what_is_no_export_is_never_replaced(filled_place, out):
    out.mkdir(parents=True)
    (out / "thesis.tex").write_text("years of work")
    with pytest.raises(CannotWrite, match="no earlier export"):
        export(filled_place, out, overwrite=True)
    assert names_in(out) == ["thesis.tex"]
    with pytest.raises(CannotWrite, match="is a file"):
        export(filled_place, out / "thesis.tex")


def test_an_empty_folder_may_be_filled(filled_place, out):
    out.mkdir(parents=True)
    assert export(filled_place, out).images == 6


def test_a_folder_that_cannot_be_made_is_an_error(filled_place, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite, match="cannot write"):
        export(filled_place, tmp_path / "file" / "below" / "dataset")


@pytest.mark.parametrize(
    ("damage", "error"),
    [(Path.unlink, ImageMissing), (lambda path: path.write_bytes(b"x"), ImageBroken)],
    ids=["missing", "broken"],
)
def test_a_lost_image_stops_the_export_and_leaves_nothing(filled_place, out, damage, error):
    with filled_place.sessions() as session:
        sha256 = session.scalars(select(Candidate.sha256).limit(1)).one()
    damage(Path(filled_place.images.path_of(sha256)))
    with pytest.raises(error):
        export(filled_place, out)
    assert names_in(out.parent) == []


def test_captions_of_any_script_come_back(place, out):
    with place.sessions.begin() as session:
        batch = rows.batch_of(session, rows.add_run(session, ("犬",)))
        rows.add_candidate(place, session, batch, [("犬", "red", rows.DOG_BOX)], caption="犬 🐕")
    export(place, out)
    content = json.loads((out / "annotations.json").read_text("utf-8"))
    assert content["images"][0]["caption"] == "犬 🐕"
    assert content["categories"][0]["name"] == "犬"
