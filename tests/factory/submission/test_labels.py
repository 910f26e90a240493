import io
import re

import pytest

from chatgenimage.factory.errors import BadLabels
from chatgenimage.factory.submission.labels import LabelRequest, read_labels
from chatgenimage.tasks.names import clean_name


@pytest.fixture
def write(tmp_path):
    def write_file(name, text):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write_file


def labels_of(result):
    return [request.label for request in result.requests]


def problems_of(*args, **kwargs):
    with pytest.raises(BadLabels) as caught:
        read_labels(*args, **kwargs)
    return caught.value.problems


def test_arguments_are_labels_in_their_order():
    assert labels_of(read_labels(["house", "dog"])) == ["house", "dog"]


def test_a_text_file_has_one_label_per_line_and_blanks_and_comments_are_skipped(write):
    path = write("pets.txt", "\ufeff# pets\n\ndog\r\n  red   panda \n\t\n#cat\nhouse")
    assert labels_of(read_labels(files=[path])) == ["dog", "red panda", "house"]


def test_a_csv_file_may_have_options_per_label(write):
    path = write(
        "l.csv", 'label,per_label,mode\ndog,4,\n"red panda",,object\n,,\n cat , 2 ,scene\n'
    )
    assert read_labels(files=[path]).requests == (
        LabelRequest("dog", 4, None),
        LabelRequest("red panda", None, "object"),
        LabelRequest("cat", 2, "scene"),
    )


def test_a_jsonl_file_has_the_same_columns(write):
    path = write(
        "l.jsonl", '{"label": "dog", "per_label": 4}\n\n{"label": "cat", "mode": "object"}'
    )
    assert read_labels(files=[path]).requests == (
        LabelRequest("dog", 4, None),
        LabelRequest("cat", None, "object"),
    )


@pytest.mark.parametrize("where", ["words", "files"])
def test_a_dash_reads_standard_input(where):
    result = read_labels(**{where: ["-"]}, stdin=io.BytesIO(b"dog\n# no\r\ncat\n"))
    assert labels_of(result) == ["dog", "cat"]


@pytest.mark.parametrize("content", ["犬".encode("utf-16"), b"dog\n\xff\n"])
def test_input_that_is_not_utf_8_is_reported_for_every_source(write, content):
    [of_stdin] = problems_of(["-"], stdin=io.BytesIO(content))
    [of_file] = problems_of(files=[write("a.txt", content)])
    assert of_stdin.startswith("standard input: is not UTF-8 (byte ")
    assert of_file.endswith(of_stdin.removeprefix("standard input"))


def test_arguments_and_files_are_combined(write):
    assert labels_of(read_labels(["dog"], [write("a.txt", "cat"), write("b.txt", "house")])) == [
        "dog",
        "cat",
        "house",
    ]


def test_duplicates_by_case_spaces_and_composition_are_dropped_and_listed(write):
    path = write("a.txt", "Dog\nred  panda\nstrasse\ncafe\u0301")
    result = read_labels(["dog", "DOG ", "Red Panda", "Straße", "café"], [path])
    assert labels_of(result) == ["dog", "Red Panda", "Straße", "café"]
    assert [(drop.where, drop.kept) for drop in result.dropped] == [
        ("argument 2", "dog"),
        ("a.txt, line 1", "dog"),
        ("a.txt, line 2", "Red Panda"),
        ("a.txt, line 3", "Straße"),
        ("a.txt, line 4", "café"),
    ]


@pytest.mark.parametrize(
    "label",
    [
        "собака",
        "犬",
        "كلب",
        "हिन्दी",
        "T-shirt",
        "St. Bernard's (dog)",
        "salt & pepper",
        "7",
        "n. 2",
    ],
)
def test_words_of_any_script_are_labels(label):
    assert clean_name(label) == label


@pytest.mark.parametrize(
    ("text", "part"),
    [
        pytest.param("", "is empty", id="empty"),
        pytest.param(" \t\u00a0 ", "is empty", id="blank"),
        pytest.param("do\x00g", "U+0000", id="NUL"),
        pytest.param("do\ng", "U+000A", id="line break"),
        pytest.param("\x1b[31mdog", "U+001B", id="escape sequence"),
        pytest.param("dog\u202e", "RIGHT-TO-LEFT OVERRIDE", id="bidi control"),
        pytest.param("a\u200bb", "ZERO WIDTH SPACE", id="invisible"),
        pytest.param("dog 🐶", "DOG FACE", id="emoji"),
        pytest.param("../../etc/passwd", "SOLIDUS", id="path"),
        pytest.param("C:\\dogs", "COLON", id="Windows path"),
        pytest.param("..", "no letter", id="parent folder"),
        pytest.param("{label}", "LEFT CURLY", id="template slot"),
        pytest.param("<b>", "LESS-THAN", id="markup"),
        pytest.param("=1+1", "EQUALS", id="spreadsheet formula"),
        pytest.param("d" * 101, "101 characters", id="too long"),
    ],
)
def test_an_invalid_label_is_refused_with_a_reason(text, part):
    with pytest.raises(ValueError, match=re.escape(part)):
        clean_name(text)


def test_a_hundred_characters_are_allowed():
    assert len(clean_name("d" * 100)) == 100


def test_all_problems_are_reported_together_with_their_lines(write):
    path = write(
        "l.csv", "label,per_label,mode\na+b,,\ndog,0,\ncat,x,\nhouse,,both\ntree,1,scene,9\n"
    )
    problems = problems_of(["dog\x00"], [path])
    places = [problem.partition(": ")[0] for problem in problems]
    assert places == ["argument 1", *(f"l.csv, line {line}" for line in (2, 3, 4, 5, 6))]
    assert "`per_label`" in problems[2]
    assert "`mode`" in problems[4]


def test_at_most_ten_problems_are_shown():
    with pytest.raises(BadLabels) as caught:
        read_labels(["a+b"] * 25)
    text = str(caught.value)
    assert len(caught.value.problems) == 25
    assert text.count("argument") == 10
    assert text.endswith("and 15 more")


def test_one_problem_is_one_line_that_shows_no_raw_control_character():
    with pytest.raises(BadLabels) as caught:
        read_labels(["\x1b[31m" + "d" * 500])
    text = str(caught.value)
    assert "\n" not in text
    assert "\x1b" not in text
    assert len(text) < 200


@pytest.mark.parametrize(
    ("words", "text"),
    [
        pytest.param([], None, id="nothing"),
        pytest.param([], "\n# only a comment\n\n", id="a file of blanks"),
    ],
)
def test_a_list_without_labels_is_refused(write, words, text):
    files = [] if text is None else [write("empty.txt", text)]
    assert "no labels" in problems_of(words, files)[0]


@pytest.mark.parametrize(
    ("name", "text", "part"),
    [
        pytest.param("a.csv", "name,per_label\ndog,1\n", "no column `label`", id="missing column"),
        pytest.param("a.csv", "", "no column `label`", id="empty CSV"),
        pytest.param("a.csv", "label,per_lable\ndog,1\n", "per_label", id="unknown column"),
        pytest.param("a.csv", "label,label\ndog,cat\n", "twice", id="column twice"),
        pytest.param("a.csv", "label,per_label\n,3\n", "line 2: label '' is empty", id="no label"),
        pytest.param("a.jsonl", "{'label': 'dog'}", "not valid JSON", id="not JSON"),
        pytest.param("a.jsonl", '"dog"', "expected an object", id="no object"),
        pytest.param("a.jsonl", '{"label": 3}', "must be text", id="a number"),
        pytest.param("a.jsonl", '{"label": "a", "per_label": true}', "`per_label`", id="a truth"),
        pytest.param("a.jsonl", '{"label": "a", "per_label": 1.5}', "`per_label`", id="a fraction"),
        pytest.param("a.jsonl", '{"label": "a", "count": 1}', "unknown key 'count'", id="key"),
        pytest.param("a.txt", b"caf\xe9", "not UTF-8", id="latin-1"),
    ],
)
def test_a_wrong_file_is_reported_with_its_name(write, name, text, part):
    (problem,) = problems_of(files=[write(name, text)])
    assert name in problem
    assert part in problem


def test_a_missing_file_and_a_folder_are_reported(tmp_path):
    assert "cannot be read" in problems_of(files=[tmp_path / "nowhere.txt"])[0]
    assert "cannot be read" in problems_of(files=[tmp_path])[0]


def test_a_wrong_file_hides_no_other_problem(tmp_path, write):
    files = [tmp_path / "nowhere.txt", write("a.csv", "name\ndog\n"), write("b.txt", "a+b\ncat")]
    assert len(problems_of(["dog", "1+1"], files)) == 4


def test_json_that_is_nested_very_deeply_is_a_line_with_a_problem(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"label": ' + "[" * 100_000 + "]" * 100_000 + "}\n")
    with pytest.raises(BadLabels, match=r"a\.jsonl, line 1: is not valid JSON: .*too deeply"):
        read_labels(files=[tmp_path / "a.jsonl"])
