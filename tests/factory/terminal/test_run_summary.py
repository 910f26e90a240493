"""Summary of a finished run: every command in it works."""

import shlex
import shutil

from typer.testing import CliRunner

from chatgenimage.db.models import Run
from chatgenimage.db.states import RunState
from chatgenimage.factory.cli import app
from chatgenimage.factory.commands import PlaceChoice, remembering, use_places
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.terminal.run_summary import (
    draw_contact_sheet,
    show_summary,
    summary_json,
)


def test_the_next_commands_find_the_run_where_it_was_made(filled_place, tmp_path, capsys):
    settings = load_settings(data_dir=filled_place.data_dir)
    with remembering():
        use_places(PlaceChoice(data_dir=filled_place.data_dir))
        show_summary(settings, 1, None)
    told = capsys.readouterr().out.partition("Next\n")[2].splitlines()
    commands = [shlex.split(line) for line in told]
    assert [words[1] for words in commands] == ["status", "gallery", "query", "export"]
    for _, *words in commands:
        if words[0] != "gallery":  # it would not end
            typed = [str(tmp_path / word) if word == "dataset" else word for word in words]
            result = CliRunner().invoke(app, typed)
            assert result.exit_code == 0, result.output
    assert (tmp_path / "dataset" / "README.md").is_file()


def test_a_run_whose_images_cannot_be_read_has_results_without_a_contact_sheet(
    filled_place, s3_keys
):
    warned: list[str] = []
    shutil.rmtree(filled_place.data_dir / "images")
    settings = load_settings(data_dir=filled_place.data_dir)
    assert draw_contact_sheet(settings, 1, warned.append) is None
    away = {"image_store_url": "s3://b/i", "image_store_endpoint": "http://127.0.0.1:9"}
    settings = load_settings(data_dir=filled_place.data_dir, **away)
    assert draw_contact_sheet(settings, 1, warned.append) is None
    missing, unread = warned
    assert missing.startswith("No contact sheet: the image store has no ")
    assert unread.startswith("No contact sheet: cannot read s3://b/i/")
    assert unread.endswith("Later: `factory contact-sheet --run 1`.")


def test_a_submission_names_the_worker_command(tmp_path):
    places = ["--data-dir", str(tmp_path / "a b")]
    told = CliRunner().invoke(app, ["submit", "dog", *places]).stderr
    shown = f"--data-dir '{tmp_path / 'a b'}'"
    assert f"Next: factory worker all {shown}; factory status 1 {shown}" in told
    assert CliRunner().invoke(app, ["status", "1", *places]).exit_code == 0


def test_the_json_of_a_run_in_which_nothing_went_wrong_says_so(filled_place):
    with filled_place.sessions.begin() as session:
        session.get_one(Run, 1).state = RunState.DONE
    told = summary_json(load_settings(data_dir=filled_place.data_dir), 1, None)
    assert told["failed"] is False
    assert (told["problems"]["quarantined"], told["problems"]["placements"]) == (0, 2)
    assert not told["problems"]["given_up"]
    assert not told["problems"]["refused"]
    for without in ("without_candidates", "without_accepted"):
        assert told["problems"][without]["count"] == 0
