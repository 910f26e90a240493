"""Every command that the factory prints can be typed as it is printed, for the same place."""

import html
import re
import shlex
import shutil
from typing import Any

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient
from typer.main import get_command
from typer.testing import CliRunner

from chatgenimage.db.models import Batch, Label, Run
from chatgenimage.db.states import RunState
from chatgenimage.factory.cli import app
from chatgenimage.factory.commands import (
    NOWHERE,
    PlaceChoice,
    complete,
    remembering,
    spell,
    use_places,
)
from chatgenimage.factory.gallery.pages import SHOWN_LABELS
from chatgenimage.factory.gallery.server import build_gallery
from chatgenimage.factory.query.store import open_store
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.settings.profiles import CONFIGS
from chatgenimage.factory.terminal.run_summary import show_summary
from tests import rows

PRINTED = re.compile(r"(?:^|[`>(:;] ?| )(factory [a-z][^`<\n;]*)", re.MULTILINE)
LASTING = {
    "run",
    "submit",
    "resume",
    "annotate",
    "worker",
    "dispatch",
    "gallery",
    "flower",
    "models",
    "pause",
    "cancel",
}
"""Commands that compute, serve or change a run: their words are checked and not run."""
QUIET = [
    ("status", "1"),
    ("status", "2"),
    ("watch", "2"),
    ("doctor",),
    ("thresholds", "1", "--marks", "gallery"),
    ("report", "1"),
    ("contact-sheet", "--run", "2"),
    ("query", "--verdict", "accepted"),
    ("retry", "2"),
    ("runs",),
    ("status", "3"),
    ("status", "1", "--by-label"),
    ("status", "3", "--csv", "short labels.csv"),
    ("cancel", "3"),
    ("pause", "3"),
    ("resume", "2", "--no-worker"),
    ("resume", "1"),
    ("show", "999"),
]


@pytest.fixture
def alone(filled_place, tmp_path, monkeypatch):
    """A profile and a data folder with blanks in their names, with one run that is done."""
    monkeypatch.delenv("FACTORY_PROFILE", raising=False)
    monkeypatch.chdir(tmp_path)
    profile, data = tmp_path / "my profile.yaml", tmp_path / "my data"
    shutil.copy(CONFIGS / "micro.yaml", profile)
    data.symlink_to(filled_place.data_dir)
    with filled_place.sessions.begin() as session:
        session.get_one(Run, 1).state = RunState.DONE
    return PlaceChoice(str(profile), data)


@pytest.fixture
def there(alone, filled_place):
    """The same with a second run, which failed, and a third, which no worker serves."""
    with filled_place.sessions.begin() as session:
        failed = rows.add_run(session, ("tree",), state="done")
        batch = session.scalars(select(Batch).where(Batch.run_id == failed.id)).one()
        rows.add_item(session, rows.add_steps(session, batch, done=4)[0], 1, "quarantined", "Boom")
        rows.add_run(session, ("owl",))
    return alone


def call(there, *words):
    options = ["--profile", there.profile, "--data-dir", str(there.data_dir)]
    if words[0] == "models":
        options = [there.profile]
    return CliRunner().invoke(app, [*words, *options])


def commands_in(text):
    """Return the words of every command that a text names, each once."""
    found = {command.strip(" .,)") for command in PRINTED.findall(html.unescape(text))}
    words = {tuple(shlex.split(command)[1:]) for command in found}
    return sorted(tuple("1" if word == "ID" else word for word in each) for each in words)


def check(words):
    """Raise what is wrong with the words of a command; those that end by themselves are run."""
    command: Any = get_command(app)
    name, *rest = words
    command = command.commands[name]
    if hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
    command.make_context(name, rest)
    if name not in LASTING:
        result = CliRunner().invoke(app, list(words), input="n\n")
        assert result.exit_code in {0, 1}, (words, result.output)


def is_of_place(there, words):
    return words[0] == "models" or {there.profile, str(there.data_dir)} <= set(words)


@pytest.mark.models
@pytest.mark.processes
@pytest.mark.parametrize("words", QUIET, ids=" ".join)
def test_what_a_command_prints_can_be_typed(there, words, monkeypatch):
    monkeypatch.setenv("FACTORY_FAMILIES__SEGMENTATION__CHECKPOINT", "sam_vit_h_4b8939.pth")
    printed = call(there, *words).output
    for found in commands_in(printed):
        assert is_of_place(there, found), found
        check(found)
    speaks = {"status", "watch", "retry", "doctor", "cancel", "pause"}
    if words[0] in speaks and words[-1] not in {"1", "--by-label"}:
        assert commands_in(printed)


@pytest.mark.parametrize("run_id", [1, 2])
def test_what_the_end_of_a_run_prints_can_be_typed(there, run_id, capsys):
    with remembering():
        use_places(there)
        show_summary(load_settings(there.profile, data_dir=there.data_dir), run_id, None)
    printed = capsys.readouterr().out
    found = commands_in(printed)
    assert {words[0] for words in found} >= {"status"}
    assert ("export" in {words[0] for words in found}) == (run_id == 1)
    for words in found:
        assert is_of_place(there, words)
        check(words)


@pytest.mark.parametrize("path", ["/runs", "/runs/1", "/runs/2"])
def test_what_a_page_of_the_gallery_names_can_be_typed(there, filled_place, path):
    with filled_place.sessions.begin() as session:
        session.add_all(
            Label(run_id=1, name=f"label {number}", mode="scene", per_label=1)
            for number in range(SHOWN_LABELS)
        )
    with remembering(), open_store(there.data_dir, profile=there.profile) as store:
        use_places(there)
        page = TestClient(build_gallery(store), "http://127.0.0.1").get(path)
    found = commands_in(page.text)
    assert {words[0] for words in found} == {
        "/runs": set(),
        "/runs/1": {"status"},
        "/runs/2": {"retry", "resume"},
    }[path]
    for words in found:
        assert is_of_place(there, words)
        check(words)


def test_what_a_report_names_can_be_typed(there, tmp_path):
    out = tmp_path / "report.html"
    assert call(there, "report", "1", "--out", str(out)).exit_code == 0
    found = commands_in(out.read_text(encoding="utf-8"))
    assert {words[0] for words in found} >= {"status", "thresholds", "refilter"}
    for words in found:
        assert is_of_place(there, words)
        check(words)


def test_the_first_page_of_an_empty_gallery_says_how_to_begin(place):
    with open_store(place.data_dir) as store:
        page = TestClient(build_gallery(store), "http://127.0.0.1").get("/runs")
    [words] = commands_in(page.text)
    assert words[0] == "run"
    check(words)


def test_the_card_of_an_export_makes_it_again_from_its_folder(alone, monkeypatch, tmp_path):
    asked = ("--run", "1", "--origin", "generated", "--use-reviews", "--splits", "train=1")
    call(alone, "refilter", "1", "--set", "clip_similarity=0.1", "--yes")
    assert call(alone, "mark", "good", "1").exit_code == 0
    done = call(alone, "export", "coco", "--out", "dataset", *asked)
    assert done.exit_code == 0, done.output
    card = (tmp_path / "dataset" / "README.md").read_text()
    monkeypatch.chdir(tmp_path / "dataset")
    found = commands_in(card.partition("```sh")[2].partition("```")[0])
    assert {"run", "refilter", "mark", "export"} <= {words[0] for words in found}
    monkeypatch.setenv("FACTORY_DATA_DIR", str(alone.data_dir))
    for words in found:
        check(words)


def test_a_message_of_a_lower_room_gets_the_places_of_the_command():
    with remembering():
        use_places(PlaceChoice("sd15", None, "postgresql+psycopg://me:hush@db/x"))
        options = "--profile sd15 --database-url 'postgresql+psycopg://me:***@db/x'"
        assert complete("try `factory query`.") == f"try `factory query {options}`."
        assert complete(complete("see `factory status 1`")) == f"see `factory status 1 {options}`"
        assert complete("`factory models pull` fetches") == "`factory models pull sd15` fetches"
        assert complete("`factory run it's`") == "`factory run it's`"
    assert spell("query", place=NOWHERE) == "factory query"
