import subprocess
import sys
from collections.abc import Iterator
from dataclasses import FrozenInstanceError

import pyarrow as pa
import pytest

from chatgenimage import open_store
from chatgenimage.db.errors import RowNotFound
from chatgenimage.db.states import Origin, Verdict
from chatgenimage.factory.errors import NoDatabase, UnknownName
from tests import rows


@pytest.fixture
def store(filled_place):
    with open_store(filled_place.data_dir) as store:
        yield store


def test_candidates_are_typed_frozen_rows_that_stream(store):
    found = store.candidates(label="DOG", verdict="accepted")
    assert isinstance(found, Iterator)
    root, edited, filled = found
    assert (root.label, root.origin, root.verdict) == ("dog", Origin.GENERATED, Verdict.ACCEPTED)
    assert (edited.parent_id, edited.scores["psnr_db"]) == (root.id, 24.0)
    assert [one.label for one in filled.annotations] == ["dog", "tree"]
    assert filled.annotations[1].box_xyxy == rows.TREE_BOX
    with pytest.raises(FrozenInstanceError):
        root.label = "cat"
    with pytest.raises(TypeError):
        root.scores["ssim"] = 1.0


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({}, 8),
        ({"label": ["dog", "house"], "origin": Origin.FILLED}, 2),
        ({"reason": "pixels_changed", "run": 1, "round": 1}, 2),
        ({"objects": "tree"}, 2),
        ({"object_count": (2, None)}, 2),
        ({"object_count": (None, 1), "label": "dog"}, 3),
        ({"scores": {"clip_similarity": (0.3, None)}, "caption": ["beach", "tree"]}, 2),
        ({"caption": "bea", "label": "house"}, 2),
        ({"reason": "pixels_changed", "verdict": "accepted"}, 0),
    ],
    ids=str,
)
def test_keywords_restrict(store, filters, count):
    assert store.count(**filters) == count == len(list(store.candidates(**filters)))


@pytest.mark.parametrize(
    ("filters", "told"),
    [
        ({"verdict": "good"}, "there are: accepted, rejected"),
        ({"origin": "found"}, "there are: imported, generated, edited, filled"),
        ({"reason": "ugly"}, "there are: .*label_not_found"),
        ({"scores": {"clip": (0, 1)}}, "there are: .*label_confidence"),
        ({"verdict": "Acepted"}, "did you mean 'accepted'"),
        ({"label": "dgo"}, "no label is called 'dgo'; did you mean 'dog'.* dog, house"),
        ({"label": ["dog", "horse"], "run": 1}, "no label of run 1 .* did you mean 'house'"),
        ({"labl": "dog"}, "no filter is called 'labl'; did you mean 'label'"),
    ],
    ids=str,
)
def test_a_misspelt_filter_is_refused_instead_of_finding_nothing(store, filters, told):
    with pytest.raises(UnknownName, match=told):
        store.count(**filters)
    with pytest.raises(UnknownName, match=told):
        store.candidates(**filters)


def test_an_unknown_keyword_is_a_type_error(store):
    with pytest.raises(TypeError, match="did you mean 'verdict'"):
        store.candidates(verdct="accepted")


def test_candidates_come_in_the_order_of_a_score(store):
    found = list(store.candidates(sort="psnr_db:desc", verdict="any"))
    assert [one.scores.get("psnr_db") for one in found] == [24, 24, 9, 9, None, None, None, None]
    assert [one.id for one in found[4:]] == [1, 3, 5, 7]
    with pytest.raises(UnknownName, match="did you mean 'ssim'"):
        store.candidates(sort="sim")


def test_a_run_that_does_not_exist_is_refused(store):
    with pytest.raises(RowNotFound, match="no run 7; the latest is 1"):
        store.candidates(run=7)


def test_a_candidate_is_found_by_id_with_its_pixels(store):
    row = store.get(3)
    assert row.key == "b0/g0/e0/f0"
    assert store.pixels(row).shape == (64, 64, 3)
    with pytest.raises(RowNotFound):
        store.get(99)


def test_runs_come_in_a_line_each(store):
    assert [(run.run_id, run.candidates, run.accepted) for run in store.runs()] == [(1, 8, 6)]


def test_arrow_has_a_column_per_score_and_the_objects(store):
    table = store.to_arrow(origin="filled")
    assert isinstance(table, pa.Table)
    assert table["fill_iou"].to_pylist() == [0.83, 0.83]
    assert table["psnr_db"].to_pylist() == [None, None]
    assert [one["label"] for one in table["objects"].to_pylist()[0]] == ["dog", "tree"]
    assert store.to_arrow(label="dog", origin="imported").schema == table.schema


def test_pandas_groups_what_the_database_counts(store):
    frame = store.to_pandas()
    assert frame.groupby("verdict").size().to_dict() == {"accepted": 6, "rejected": 2}


def test_opening_a_missing_store_is_an_error(tmp_path):
    with pytest.raises(NoDatabase, match="factory run"):
        open_store(tmp_path / "new")


@pytest.mark.processes
def test_opening_a_store_loads_no_model_library():
    script = "import sys, factory; print(*{'torch', 'pandas', 'pyarrow'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=300
    )
    assert done.stdout.strip() == ""
