import csv
import io
import json

import pytest
from typer.testing import CliRunner

from chatgenimage.db.marks import iter_marks
from chatgenimage.db.models import Mark
from chatgenimage.db.session import reading
from chatgenimage.factory.cli import app
from chatgenimage.factory.curation.reviews import name_person
from tests.factory.exports import read_coco


def run(place, *words):
    return CliRunner().invoke(app, [*words, "--data-dir", str(place.data_dir)])


def marks_of(place):
    with reading(place.sessions) as session:
        return dict(iter_marks(session, 1))


def test_reviews_are_added_and_removed(filled_place):
    assert run(filled_place, "mark", "good", "1", "2").stdout == "2 good\n"
    assert run(filled_place, "mark", "bad", "3").stdout == "1 bad\n"
    assert marks_of(filled_place) == {1: True, 2: True, 3: False}
    told = run(filled_place, "mark", "none", "2", "--json").stdout
    assert (json.loads(told), marks_of(filled_place)) == ({"2": None}, {1: True, 3: False})
    with reading(filled_place.sessions) as session:
        assert session.get_one(Mark, 1).author == name_person()


def test_a_csv_of_query_is_read_back_as_reviews(filled_place, tmp_path):
    run(filled_place, "mark", "bad", "2")
    lines = list(csv.DictReader(io.StringIO(run(filled_place, "query", "--format", "csv").stdout)))
    assert {line["id"]: line["mark"] for line in lines if line["mark"]} == {"2": "bad"}
    lines[0]["mark"] = "Good"
    path = tmp_path / "marks.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, lines[0])
        writer.writeheader()
        writer.writerows(lines)
    assert run(filled_place, "mark", "--file", str(path)).stdout == "1 good, 1 bad\n"
    assert marks_of(filled_place) == {int(lines[0]["id"]): True, 2: False}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["good"], "expected MARK and candidates, or --file"),
        (["good", "1", "--file", "marks.csv"], "expected MARK and candidates, or --file"),
        ([], "expected MARK and candidates, or --file"),
        (["good", "1", "99"], "no candidate 99"),
        (["fine", "1"], "'fine' is not one of"),
        (["--file", "none.csv"], "cannot read the reviews in none.csv"),
    ],
    ids=" ".join,
)
def test_an_invalid_review_is_refused_and_nothing_is_written(filled_place, words, told):
    result = run(filled_place, "mark", *words)
    assert result.exit_code != 0
    assert told in " ".join(result.stderr.split())
    assert marks_of(filled_place) == {}


def test_show_lists_a_candidate_s_reviews(filled_place):
    for said in ("bad", "none", "good"):
        run(filled_place, "mark", said, "1")
    story = run(filled_place, "show", "1").stdout
    assert [line.split()[1].rstrip(",") for line in story.splitlines() if "marked " in line] == [
        "bad",
        "mark",
        "good",
    ]
    told = json.loads(run(filled_place, "show", "1", "--json").stdout)
    assert told["mark"] == "good"
    assert [mark["is_good"] for mark in told["marks"]] == [False, None, True]


def test_an_export_uses_reviews_on_request_and_its_card_says_so(filled_place, tmp_path):
    rejected = json.loads(
        run(filled_place, "query", "--verdict", "rejected", "--format", "json").stdout
    )[0]["id"]
    run(filled_place, "mark", "good", str(rejected), "2")
    run(filled_place, "mark", "bad", "1")
    before, after = tmp_path / "before", tmp_path / "after"
    assert run(filled_place, "export", "coco", "--out", str(before)).exit_code == 0
    assert run(filled_place, "export", "coco", "--out", str(after), "--use-reviews").exit_code == 0
    ids = [
        {image["candidate_id"]: image["mark"] for image in read(folder)}
        for folder in (before, after)
    ]
    former = tmp_path / "former"
    assert run(filled_place, "export", "coco", "--out", str(former), "--heed-marks").exit_code == 0
    assert [image["candidate_id"] for image in read(former)] == list(ids[1])
    assert ids[0].keys() - ids[1].keys() == {1}
    assert ids[1].keys() - ids[0].keys() == {rejected}
    assert (ids[1][2], ids[1][rejected], ids[0][1], ids[0][3]) == ("good", "good", "bad", "")
    card = (after / "README.md").read_text()
    assert "2 of the images as good and 0 as bad; the reviews decided" in " ".join(card.split())
    assert "1 of the good images had been rejected by the filters" in card
    assert "factory mark --file runs/1-marks.csv" in card
    assert f"factory export coco --out {after} --use-reviews\n" in card
    assert (after / "runs" / "1-marks.csv").read_text().splitlines()[0] == "label,key,mark"
    assert "the reviews did not decide" in (before / "README.md").read_text()
    assert not (before / "runs" / "1-marks.csv").exists()


def read(folder):
    return read_coco(folder / "annotations" / "instances_train.json").imgs.values()


def test_the_report_compares_filters_with_reviews(filled_place):
    run(filled_place, "mark", "good", "1", "2", "4")
    run(filled_place, "mark", "bad", "3")
    run(filled_place, "report", "--out", str(filled_place.data_dir / "report.html"))
    page = (filled_place.data_dir / "report.html").read_text()
    assert "Agreement of filters and reviews" in page
    assert ">67% of 3<" in page  # two of three accepted and reviewed candidates are good
    run(filled_place, "mark", "none", "1", "2", "3", "4")
    run(filled_place, "report", "--out", str(filled_place.data_dir / "report.html"))
    assert "What people say" not in (filled_place.data_dir / "report.html").read_text()
