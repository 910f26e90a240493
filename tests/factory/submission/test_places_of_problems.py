"""Every refusal of a label file names the file and the line."""

import pytest
from typer.testing import CliRunner

from chatgenimage.factory.cli import app

MEADOW = '"in a meadow,on a beach"'
TABLES = {
    "label,prompt\ndog,dog\nfoo,zebra\n": "a.csv, line 3: the rule book does not know 'zebra'",
    f"label,per_label,domains\ndog,1,{MEADOW}\n": "a.csv, line 2: label 'dog': 1 cannot be divided "
    "among 2 domains; expected `per_label` 2 or more",
    f"label,domains\nhouse,\ndog,{MEADOW}\n": "a.csv, line 3: label 'dog': 1 cannot be divided "
    "among 2 domains; expected --per-label 2 or more",
    "label,domains\ndog,in fog\n": "a.csv, line 2: the rule book does not know the domain 'in fog'",
    "label,max_images\ndog,3\n": "a.csv, line 2: label 'dog': `max_images` limits",
    "label,detect\ndog,dog|\u72ac\n": "a.csv, line 2: label 'dog': the detector",
    "label,colour\ndog,red\n": "a.csv, line 1: unknown column 'colour'",
    "sep=;\nword\ndog\n": "a.csv, line 2: the header has no column `label`",
    'label,prompt\ndog,"two\nlines"\n': "a.csv, line 2: prompt 'two\\nlines' contains",
    "label\n": "a.csv: no labels; write one on each line, in a table below the header",
}


def submit(tmp_path, *words):
    places = ["--data-dir", str(tmp_path / "data"), "--per-label", "1"]
    ended = CliRunner().invoke(app, ["submit", *map(str, words), *places])
    assert ended.exit_code == 2, ended.output
    assert not (tmp_path / "data").exists()
    return ended.stderr


@pytest.mark.parametrize("text", TABLES)
def test_a_table_that_is_refused_is_named_with_the_line(tmp_path, text):
    path = tmp_path / "a.csv"
    path.write_text(text, encoding="utf-8")
    assert TABLES[text] in submit(tmp_path, "--file", path)


def test_several_unknown_words_are_named_with_their_labels(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("label,prompt\nfoo,zebra\nbar,\n")
    named = "(first: 'zebra' of 'foo', a.csv, line 2; 'bar', a.csv, line 3)"
    assert named in submit(tmp_path, "--file", path)


def test_domains_of_the_command_line_are_no_line_of_a_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("dog\nhouse\n")
    told = submit(tmp_path, "--file", path, "--domains", "in fog")
    assert told.startswith("the rule book does not know the domain 'in fog'")
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("dog\nzebra\n", "a.txt, line 2: the rule book does not know 'zebra'"),
        ("dog\nmy_zebra=horse\n", "a.txt, line 2: the rule book does not know 'my zebra'"),
    ],
)
def test_labels_for_pictures_are_named_with_the_line(tmp_path, text, part):
    path = tmp_path / "a.txt"
    path.write_text(text)
    words = ["annotate", str(tmp_path), "--labels-file", str(path)]
    ended = CliRunner().invoke(app, [*words, "--data-dir", str(tmp_path / "data")])
    assert ended.exit_code == 2, ended.output
    assert ended.stderr.startswith(part)
