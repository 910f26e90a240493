"""Bad input to commands that write: one helpful line, exit code 2, nothing written."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from sqlalchemy import func, select
from sqlalchemy import text as sql
from typer.testing import CliRunner

from chatgenimage.db.models import Run
from chatgenimage.db.session import connect
from chatgenimage.factory.cli import app
from chatgenimage.factory.errors import BadLabels
from chatgenimage.factory.settings.model import DATABASE_FILE
from chatgenimage.factory.settings.profiles import CONFIGS
from chatgenimage.factory.submission.labels import read_labels

FULL = Path("/dev/full")


@pytest.fixture(autouse=True)
def _quiet_environment(monkeypatch):
    for name in ("REDIS_URL", "FACTORY_PROFILE", "FACTORY_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def data_dir(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def profile(tmp_path):
    """A profile whose checkpoints exist, but would fail to load."""
    values = yaml.safe_load((CONFIGS / "micro.yaml").read_text(encoding="utf-8"))
    for key, family in values["families"].items():
        if family["family"] != "rules":
            folder = tmp_path / "checkpoints" / key
            folder.mkdir(parents=True)
            (folder / "model.safetensors").touch()
            family["checkpoint"] = str(folder)
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


@pytest.fixture
def factory(data_dir, profile):
    """Runs a command in an empty data folder."""

    def run(*words, data_dir=data_dir, profile=profile, stdin=None):
        places = ["--data-dir", str(data_dir), "--profile", str(profile)]
        return CliRunner().invoke(app, [*map(str, words), *places], input=stdin)

    return run


@pytest.fixture
def free_port():
    """A port of this machine on which nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def complaint(result, code=2):
    """Return the one line that a refused command prints."""
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr


def complaints(result):
    """Return the lines of a refused command that reports several problems."""
    assert result.exit_code == 2, result.output
    return result.stderr.splitlines()


COMMANDS = pytest.mark.parametrize("command", ["run", "submit"])


@COMMANDS
@pytest.mark.parametrize(
    ("words", "parts"),
    [
        pytest.param([], ["no labels", "factory run dog"], id="nothing"),
        pytest.param([""], ["is empty"], id="an empty word"),
        pytest.param(["  \t "], ["is empty"], id="a blank word"),
        pytest.param(["unicorn"], ["'unicorn'", "dog", "house"], id="an unknown word"),
        pytest.param(["x" * 500], ["500 characters", "at most 100"], id="500 characters"),
        pytest.param(["do\ag"], ["'do\\x07g'", "U+0007"], id="a bell"),
        pytest.param(["dog\x1b[31m"], ["U+001B"], id="a terminal's escape"),
        pytest.param(["dog\u202ecat"], ["U+202E"], id="right to left"),
        pytest.param(["../.."], ["U+002F"], id="a path upwards"),
        pytest.param(["/etc/passwd"], ["U+002F"], id="an absolute path"),
        pytest.param(["dog; rm -rf /"], ["looks like a list"], id="a shell's command"),
        pytest.param(["\N{CJK UNIFIED IDEOGRAPH-72AC}"], ["does not know"], id="another script"),
        pytest.param(["\N{DOG FACE}"], ["DOG FACE", "U+1F436"], id="an emoji"),
        pytest.param(["dog\udcff"], ["U+DCFF"], id="not UTF-8"),
        pytest.param(["dog", "--per-label", "0"], ["per_label", "1"], id="no images"),
        pytest.param(["dog", "--per-label", "1000000"], ["per_label", "100000"], id="too many"),
        pytest.param(["dog", "--rounds", "99"], ["rounds", "10"], id="too many rounds"),
    ],
)
def test_invalid_labels_are_refused_before_anything_is_written(
    factory, data_dir, command, words, parts
):
    text = complaint(factory(command, *words))
    for part in parts:
        assert part in text
    assert not data_dir.exists()


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        pytest.param("words.txt", "\n  \n# nothing\n", "no labels", id="blank lines"),
        pytest.param("words.txt", "dog\n../..\n", "words.txt, line 2", id="one bad line"),
        pytest.param("words.csv", "name\ndog\n", "no column `label`", id="CSV without its column"),
        pytest.param("words.csv", "", "no column `label`", id="an empty CSV"),
        pytest.param("words.csv", "label,per_label\ndog,0\n", "'0'", id="CSV asks for none"),
        pytest.param("words.jsonl", '{"label": 3}', "must be text", id="JSONL of numbers"),
        pytest.param("words.jsonl", "dog", "not valid JSON", id="not JSONL"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(factory, tmp_path, name, content, part):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    assert part in complaint(factory("submit", "--file", path))
    assert not (tmp_path / "data").exists()


def test_a_file_that_is_not_there_is_named(factory, tmp_path):
    assert "nowhere.txt" in complaint(factory("submit", "--file", tmp_path / "nowhere.txt"))
    assert "directory" in complaint(factory("submit", "--file", tmp_path))


def test_a_list_without_an_end_is_refused(factory, data_dir):
    assert "/dev/zero: is larger than" in complaint(factory("submit", "--file", "/dev/zero"))
    with Path("/dev/zero").open("rb") as endless, pytest.raises(BadLabels) as caught:
        read_labels(["-"], stdin=endless)
    assert "standard input: is larger than" in str(caught.value)
    assert not data_dir.exists()


def test_all_problems_of_a_list_are_reported_together(factory, data_dir):
    first, *rest = complaints(factory("submit", "-", stdin="dog\n:\n\ncat+dog\n"))
    assert first.startswith("2 problems")
    assert ["line 2" in rest[0], "line 4" in rest[1]] == [True, True]
    assert not data_dir.exists()


def test_a_duplicate_label_is_dropped_with_a_notice(factory, data_dir):
    result = factory("submit", "dog", " DOG ", "house", "hoUse")
    assert result.exit_code == 0, result.output
    assert "Dropped as duplicates: DOG, hoUse" in result.stderr
    assert "2 labels" in result.stderr
    assert count_runs(data_dir) == 1


def test_a_thousand_duplicates_are_reported_in_one_line(factory):
    result = factory("submit", "-", stdin="dog\n" * 1000)
    assert result.exit_code == 0, result.output
    dropped, submitted, _ = result.stderr.splitlines()
    assert dropped.endswith("dog and 989 more")
    assert submitted == "Run 1 submitted: 1 label, 8 images"


@pytest.mark.parametrize("seed", ["-1", str(2**63), "9" * 30, "seven"])
def test_a_seed_that_no_row_can_hold_is_refused(factory, data_dir, seed):
    result = factory("submit", "dog", "--seed", seed)
    assert result.exit_code == 2
    assert "--seed" in result.stderr
    assert not data_dir.exists()


@COMMANDS
@pytest.mark.parametrize("content", [None, "a: [", "- dog", "families: {}\nnonsense: 1"])
def test_a_missing_or_broken_profile_is_named(factory, data_dir, tmp_path, command, content):
    path = tmp_path / "broken.yaml"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    assert "broken.yaml" in complaint(factory(command, "dog", profile=path))
    assert not data_dir.exists()


def test_a_missing_checkpoint_ends_a_run_before_it_starts(factory, data_dir, tmp_path):
    (tmp_path / "checkpoints/captioning/model.safetensors").unlink()
    assert "checkpoints/captioning" in complaint(factory("run", "dog"))
    (tmp_path / "checkpoints/captioning").rmdir()
    assert "checkpoints/captioning" in complaint(factory("run", "dog"))
    assert not data_dir.exists()


def test_a_broker_that_does_not_answer_ends_a_run_before_it_starts(
    factory, data_dir, monkeypatch, free_port
):
    monkeypatch.setenv("REDIS_URL", f"redis://:hush@127.0.0.1:{free_port}/0")
    text = complaint(factory("run", "dog"))
    assert f"redis://:***@127.0.0.1:{free_port}/0" in text
    assert not data_dir.exists()


def test_an_unsupported_broker_is_reported_with_its_source(factory, monkeypatch):
    monkeypatch.setenv("REDIS_URL", "sqs://me:hush@host")
    text = complaint(factory("run", "dog"))
    assert text.startswith("REDIS_URL: ")
    assert "hush" not in text


def test_submitting_needs_no_broker(factory, data_dir, monkeypatch, free_port):
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{free_port}/0")
    assert factory("submit", "dog").exit_code == 0
    assert count_runs(data_dir) == 1


@pytest.mark.parametrize(
    ("url", "part"),
    [
        pytest.param("nonsense", "sqlite:////absolute/path", id="no URL"),
        pytest.param("http://host", "postgresql+psycopg://", id="no database"),
        pytest.param("sqlite://", "in-memory", id="in memory"),
        pytest.param("sqlite:////proc/x.db", "unable to open", id="a path that cannot be written"),
        pytest.param("postgresql://me:hush@127.0.0.1:{port}/x", "refused", id="a closed port"),
    ],
)
def test_a_database_that_cannot_be_used_is_one_line(factory, monkeypatch, free_port, url, part):
    monkeypatch.setenv("FACTORY_DATABASE_URL", url.format(port=free_port))
    text = complaint(factory("run", "dog"))
    assert part in text
    assert "hush" not in text


@pytest.mark.parametrize("command", ["run", "submit", "worker", "status"])
def test_a_file_that_is_no_database_is_left_alone(factory, monkeypatch, tmp_path, command):
    path = tmp_path / "letter.txt"
    path.write_bytes(b"dear reader, " * 100)
    monkeypatch.setenv("FACTORY_DATABASE_URL", f"sqlite:///{path}")
    words = [] if command in ("worker", "status") else ["dog"]
    assert "not a database" in complaint(factory(command, *words))
    assert path.read_bytes() == b"dear reader, " * 100


def test_a_database_of_a_newer_version_is_left_alone(factory, data_dir):
    assert factory("submit", "dog").exit_code == 0
    with connect(f"sqlite:///{data_dir / DATABASE_FILE}").begin() as session:
        session.execute(sql("UPDATE alembic_version SET version_num = '9999'"))
    assert "another version" in complaint(factory("submit", "house"))
    assert count_runs(data_dir) == 1


@pytest.mark.parametrize("command", ["run", "submit", "worker"])
@pytest.mark.parametrize("below", ["", "below"])
def test_a_data_folder_that_is_a_file_is_named(factory, tmp_path, command, below):
    (tmp_path / "file").touch()
    words = [] if command == "worker" else ["dog"]
    text = complaint(factory(command, *words, data_dir=tmp_path / "file" / below))
    assert "--data-dir" in text
    assert (tmp_path / "file").read_bytes() == b""


def test_a_role_that_the_profile_lacks_is_refused(factory, data_dir):
    assert "labeling" in complaint(factory("worker", "painting"))
    assert not data_dir.exists()


@pytest.mark.processes
@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
def test_an_output_that_is_full_is_one_line(data_dir):
    with FULL.open("w") as full:
        called = subprocess.run(
            [
                sys.executable,
                "-m",
                "chatgenimage",
                "submit",
                "dog",
                "--json",
                "--data-dir",
                data_dir,
            ],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert called.returncode == 1
    assert "No space left" in called.stderr
    assert called.stderr.count("\n") == 1


def count_runs(data_dir):
    with connect(f"sqlite:///{data_dir / DATABASE_FILE}")() as session:
        return session.scalar(select(func.count()).select_from(Run))
