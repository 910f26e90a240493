"""The classes of exports and queries of a person's pictures: those asked for, and those found."""

import io
import json
import tarfile

import pytest
import yaml

from chatgenimage.db.queries import CandidateFilter, iter_candidates
from chatgenimage.db.session import reading
from chatgenimage.factory.errors import UnknownName
from chatgenimage.factory.query.filters import check_stored_names
from chatgenimage.factory.query.rows import CandidateRow
from chatgenimage.factory.submission.image_import import title_of
from tests import rows
from tests.factory.exports import export_as

ASKED = ["tree", "dog", "zebra"]


@pytest.fixture(params=["sqlite", "postgres"])
def place(request):
    return request.getfixturevalue(f"{request.param}_place")


def add_pictures(place, asked, *pictures):
    """Add a run of pictures that looks for labels, each picture with the objects found on it."""
    with place.sessions.begin() as session:
        run = rows.add_run(session, [title_of(asked)])
        chain = {**run.profile["chain"], "source": "pictures", "class_list": list(asked)}
        run.profile = {**run.profile, "chain": chain}
        for index, found in enumerate(pictures):
            objects = [(label, "peru", rows.DOG_BOX) for label in found]
            rows.add_candidate(
                place, session, rows.batch_of(session, run), objects, key=f"b0/i{index}",
                origin="imported", background=("white", "grey", "red")[index],
            )  # fmt: skip
    return place


@pytest.fixture
def pictures(place):
    return add_pictures(place, ASKED, ["dog"], ["tree", "dog"], [])


def test_a_wrong_label_is_refused_with_the_classes_and_without_the_title(pictures):
    known = "there are: dog, tree, zebra."
    with reading(pictures.sessions) as session, pytest.raises(UnknownName) as refused:
        check_stored_names(session, CandidateFilter(labels=("cow",)))
    assert str(refused.value).endswith(known)


def read_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_picture_of_two_runs_is_reported(pictures, tmp_path):
    add_pictures(pictures, ASKED, ["dog"])
    done = export_as(pictures, "coco", tmp_path / "both")
    (note,) = [note for note in done.notes if "more than once" in note]
    assert "from several runs: 1." in note
    assert note in (tmp_path / "both" / "README.md").read_text()
    one = export_as(pictures, "coco", tmp_path / "one", run_id=1)
    assert not [note for note in one.notes if "more than once" in note]


@pytest.mark.parametrize("written", ["Ébène", "ébène", "ÉBÈNE"])
@pytest.mark.parametrize("asked", ["Ébène", "ébène", "ÉBÈNE"])
def test_names_are_compared_without_case_in_every_script(place, written, asked):
    add_pictures(place, [written, "tree"], [written], ["tree"])
    with reading(place.sessions) as session:
        for wanted in (CandidateFilter(labels=(asked,)), CandidateFilter(objects=(asked,))):
            assert [one.key for one in iter_candidates(session, wanted)] == ["b0/i0"]


def test_yolo_and_coco_have_the_classes_that_were_asked_for(pictures, tmp_path):
    export_as(pictures, "yolo-detect", tmp_path / "yolo")
    data = yaml.safe_load((tmp_path / "yolo" / "data.yaml").read_text())
    assert data["names"] == dict(enumerate(ASKED))
    export_as(pictures, "coco", tmp_path / "coco")
    coco = json.loads((tmp_path / "coco" / "annotations" / "instances_train.json").read_text())
    assert [one["name"] for one in coco["categories"]] == ASKED
    assert [one["label"] for one in coco["images"]] == ["dog", "tree", ""]
    card = (tmp_path / "coco" / "README.md").read_text()
    assert "| tree, dog, zebra |" not in card
    assert "| your pictures |" in card


def test_label_studio_asks_for_these_classes(pictures, tmp_path):
    export_as(pictures, "label-studio", tmp_path / "studio")
    config = (tmp_path / "studio" / "label_config.xml").read_text()
    assert all(f'value="{name}"' in config for name in ASKED)
    assert title_of(ASKED) not in config


@pytest.mark.models
def test_a_picture_s_class_is_the_surest_object(pictures, tmp_path):
    export_as(pictures, "webdataset", tmp_path / "shards")
    with tarfile.open(tmp_path / "shards" / "train-000000.tar") as tar:
        members = {name: tar.extractfile(name).read() for name in tar.getnames()}
    assert [int(text) for name, text in members.items() if name.endswith(".cls")] == [1, 0, -1]
    export_as(pictures, "imagefolder", tmp_path / "folder")
    lines = read_lines(tmp_path / "folder" / "train" / "metadata.jsonl")
    assert [line["label"] for line in lines] == ["dog", "tree", ""]
    folders = [line["file_name"].partition("/")[0] for line in lines]
    assert folders == ["dog", "tree", "no-object"]


@pytest.mark.models
def test_parquet_has_these_classes_and_minus_one_for_a_picture_without_objects(pictures, tmp_path):
    from pyarrow import parquet

    export_as(pictures, "parquet", tmp_path / "parquet")
    [file] = (tmp_path / "parquet" / "data").glob("*.parquet")
    content = io.BytesIO(file.read_bytes())
    assert parquet.read_table(content).column("label").to_pylist() == [1, 0, -1]


def test_without_labels_the_classes_are_what_was_found(place, tmp_path):
    add_pictures(place, [], ["dog"], [])
    export_as(place, "yolo-detect", tmp_path / "yolo")
    assert yaml.safe_load((tmp_path / "yolo" / "data.yaml").read_text())["names"] == {0: "dog"}


def test_a_query_finds_pictures_by_the_labels_that_were_found(pictures):
    def keys(*labels):
        with reading(pictures.sessions) as session:
            return [one.key for one in iter_candidates(session, CandidateFilter(labels=labels))]

    assert keys("DOG") == ["b0/i0", "b0/i1"]
    assert keys("tree", "zebra") == ["b0/i1"]
    assert keys(title_of(ASKED)) == ["b0/i0", "b0/i1", "b0/i2"]
    with reading(pictures.sessions) as session:
        found = list(iter_candidates(session, CandidateFilter()))
        labels = [CandidateRow.of(one, pictures.images).label for one in found]
    assert labels == ["dog", "tree", ""]


def test_a_painted_image_is_not_found_by_what_else_is_on_it(filled_place):
    with reading(filled_place.sessions) as session:
        found = iter_candidates(session, CandidateFilter(labels=("tree",)))
        assert list(found) == []
