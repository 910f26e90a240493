"""Texts of models and file names reach neither a terminal nor a spreadsheet as a command."""

import csv
import io
import json
import time
from pathlib import Path

import pytest
from sqlalchemy import select, update
from typer.testing import CliRunner

from chatgenimage.db.models import Annotation, Candidate
from chatgenimage.db.runs import get_run
from chatgenimage.db.states import Origin
from chatgenimage.factory.cli import app
from chatgenimage.factory.curation.reviews import read_marks
from chatgenimage.factory.foreign_text import (
    csv_cell,
    printable,
    to_indented_json,
    to_json,
)

HOSTILE = "=1+1\x1b]0;title\x07 \x9b31m red\x7f\r\u202eevil"
CONTROLS = "\x00\x07\x08\x1b\x7f\x9b\r\u202e"


@pytest.fixture
def hostile(filled_place):
    """A run whose captions, objects and names hold escape sequences."""
    with filled_place.sessions.begin() as session:
        session.execute(update(Candidate).values(caption=HOSTILE, source_name="@" + HOSTILE))
        session.execute(update(Annotation).values(label=HOSTILE))
        for candidate in session.scalars(select(Candidate)):
            candidate.prompt_text = f"-{HOSTILE}"
    return filled_place


def call(place, *words):
    result = CliRunner().invoke(app, [*words, "--data-dir", str(place.data_dir)])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("show", "1"),
        ("show", "1", "--json"),
        ("query",),
        ("query", "--format", "csv"),
        ("query", "--format", "json"),
        ("status", "1"),
    ],
    ids=" ".join,
)
def test_no_control_character_is_printed(hostile, words):
    printed = call(hostile, *words)
    assert not [control for control in CONTROLS if control in printed]
    if words[0] == "show":
        assert "evil" in printed


def test_json_is_exact(hostile):
    for record in json.loads(call(hostile, "query", "--format", "json")):
        assert record["caption"] == HOSTILE


def test_no_cell_of_csv_is_computed_and_marks_are_read_back(hostile, tmp_path):
    text = call(hostile, "query", "--format", "csv")
    lines = list(csv.DictReader(io.StringIO(text)))
    for line in lines:
        assert line["caption"].startswith("'=1+1\\x1b")
        assert line["prompt"].startswith("'-=")
        assert line["source_name"].startswith("'@=")
        line["mark"] = "good"
    path = tmp_path / "marks.csv"
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, lines[0].keys())
        table.writeheader()
        table.writerows(lines)
    with hostile.sessions() as session:
        marks = read_marks(session, get_run(session, 1), path)
    assert marks == {int(line["id"]): True for line in lines}


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1", "'=1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@a", "'@a"),
        ("\t=1", "\\t=1"),
        ("\r=1", "\\r=1"),
        ("a dog", "a dog"),
        (-1.5, -1.5),
        (None, None),
    ],
)
def test_a_cell_that_a_spreadsheet_would_compute_is_text(value, cell):
    assert csv_cell(value) == cell


def test_words_of_other_scripts_stay_as_they_are():
    text = "犬と猫, naïve 👩\u200d🚀 كلب\n\tindented"
    assert printable(text) == text
    assert json.loads(to_json(HOSTILE + text)) == HOSTILE + text


@pytest.mark.parametrize(
    "value",
    [
        {"text": "犬 👩 \x1b[31m\x85\u202e", "numbers": [1, 0.5, True, None], "": {}, "list": []},
        {"path": "caf\udce9.png"},
        ["a\nb", {1: float("inf")}, Origin.FILLED],
    ],
)
def test_indented_json_is_that_of_the_standard_library(value):
    assert to_indented_json(value) == to_json(value, indent=2)


def test_a_path_in_json_is_a_text_also_if_its_name_is_no_utf8():
    for name in ("dog.png", "caf\udce9.png"):
        assert json.loads(to_indented_json({"image": Path(name)})) == {"image": name}


def test_a_large_value_is_indented_much_faster_than_by_the_standard_library():
    value = {f"label {n}": [{"origin": "filled", "made": n, "rejected": {}}] for n in range(20_000)}

    def least_s(write):
        times = []
        for _ in range(3):
            started = time.process_time()
            write()
            times.append(time.process_time() - started)
        return min(times)

    slow = least_s(lambda: to_json(value, indent=2))
    assert least_s(lambda: to_indented_json(value)) < slow / 2
