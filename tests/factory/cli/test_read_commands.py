import csv
import io
import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlalchemy import text as sql
from typer.main import get_group
from typer.testing import CliRunner

from chatgenimage.db.models import Batch, Candidate, Label, Run
from chatgenimage.factory.cli import PANELS, app
from chatgenimage.factory.doctor.checks import PACKAGE
from tests import rows
from tests.factory.answers import answered, refused
from tests.terminal import show_on_terminal

COMMANDS = [
    ("status",),
    ("show", "1"),
    ("query",),
    ("contact-sheet",),
    ("export", "coco", "--out", "somewhere"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_help_has_an_example(command):
    text = answered(CliRunner().invoke(app, [command[0], "--help"]))
    assert f"Example: factory {command[0]}" in text


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_without_a_database_every_command_says_how_to_start(command, tmp_path):
    result = CliRunner().invoke(app, [*command, "--data-dir", str(tmp_path / "new")])
    place = tmp_path / "new"
    assert f"start with `factory run dog house --data-dir {place}`" in refused(result)
    assert not (tmp_path / "new").exists()


def test_a_database_of_another_program_counts_as_no_database(tmp_path):
    url = f"sqlite:///{tmp_path / 'other.sqlite3'}"
    (tmp_path / "other.sqlite3").touch()
    result = CliRunner().invoke(app, ["status", "--database-url", url])
    assert "no database at" in refused(result)


def test_a_database_that_does_not_answer_is_one_line(tmp_path):
    path = tmp_path / "factory.sqlite3"
    path.write_bytes(b"this is not a database, whatever its name says" * 99)
    assert "does not answer" in refused(
        CliRunner().invoke(app, ["query", "--data-dir", str(tmp_path)])
    )


def test_a_database_of_another_version_is_not_read(factory, filled_place):
    with filled_place.sessions.begin() as session:
        session.execute(sql("UPDATE alembic_version SET version_num = '0000'"))
    told = refused(factory("query"))
    assert "has schema 0000" in told
    assert f"`factory migrate --data-dir {filled_place.data_dir}`" in told
    with filled_place.sessions.begin() as session:
        session.execute(sql("UPDATE alembic_version SET version_num = '9999'"))
    assert "use the version that wrote it" in refused(factory("query"))


@pytest.mark.parametrize("number", ["0", "-1", "99999999999999999999", "one"])
def test_a_number_that_no_row_can_have_is_refused(factory, number):
    assert factory("show", "--", number).exit_code == 2


def test_a_profile_that_is_not_there_is_one_line(tmp_path):
    assert "no profile at" in refused(CliRunner().invoke(app, ["query", "--profile", "macro"]))


def test_status_shows_steps_funnel_and_what_was_given_up(factory, filled_place):
    with filled_place.sessions.begin() as session:
        batch = session.scalars(select(Batch).order_by(Batch.id)).first()
        step = rows.add_steps(session, batch)[1]
        rows.add_item(session, step, 1, "quarantined", "Traceback\nValueError: too [dark]")
    text = answered(factory("status"))
    assert "run 1" in text
    assert "pixels_changed" in text
    assert "ValueError: too [dark]" in text


def test_status_says_what_a_run_without_progress_waits_for(factory, filled_place):
    assert "Waits:" not in answered(factory("status"))  # created just now
    with filled_place.sessions.begin() as session:
        session.execute(update(Run).values(created_at=0.0))
        session.execute(update(Candidate).values(created_at=0.0))
    assert "Waits: 2 batches have not started: no dispatcher" in answered(factory("status"))


def test_status_sums_up_more_labels_than_fit_on_a_screen(factory, filled_place):
    with filled_place.sessions.begin() as session:
        run = rows.add_run(session, [f"label {number}" for number in range(50)])
        for batch in rows.batches_of(session, run):
            rows.add_item(session, rows.add_steps(session, batch)[0], batch.id)
            rows.add_candidate(filled_place, session, batch)
    text = answered(factory("status"))
    assert "all 50 labels" in text
    assert "50/50" in text
    assert "Labels that lack most" not in text  # one image of each was asked for, and accepted
    assert "All labels: factory status 2 --by-label --data-dir" in text
    with filled_place.sessions.begin() as session:
        session.execute(update(Label).where(Label.name == "label 7").values(quota=2, max_images=9))
    sums, _, worst = answered(factory("status")).partition("Labels that lack most")
    assert "50/2" not in sums  # a quota of one label is not one of all
    assert "label 7" in worst
    assert "label 8" not in worst


def test_status_as_json_has_all_the_numbers(factory):
    found = json.loads(answered(factory("status", 1, "--json")))
    assert found["labels"] == {"dog": 1, "house": 1}
    assert found["batches"] == {"waiting": 2, "in_flight": 0, "done": 0, "cancelled": 0}
    made = {stage["origin"]: (stage["made"], stage["accepted"]) for stage in found["funnel"]}
    assert made == {"generated": (2, 2), "edited": (4, 2), "filled": (2, 2)}
    assert found["funnel_by_label"]["dog"][1]["rejected"] == {"pixels_changed": 1}


def test_a_run_that_is_not_there_is_named(factory):
    assert "no run 9; the latest is 1" in refused(factory("status", 9))


def test_show_prints_lineage_prompts_and_scores(factory):
    text = answered(factory("show", 3))
    for told in (
        "generated 1",
        "edited 2",
        "filled 3",
        "change the background to a beach",
        "tree next to the dog",
        "a dog and a tree on a beach",
        "fill_iou",
        "detector stable_diffusion bundled:micro/stable_diffusion @ 0f3a",
        ".png",
    ):
        assert told in text


def test_show_prints_why_a_candidate_was_rejected(factory):
    text = answered(factory("show", 4))
    assert "rejected: pixels_changed" in text
    row = next(line for line in text.splitlines() if line.startswith("psnr_db"))
    assert row.split() == ["psnr_db", "9", "18", "no"]


def test_show_as_json_has_the_whole_story(factory):
    found = json.loads(answered(factory("show", 2, "--json")))
    assert [ancestor["id"] for ancestor in found["ancestors"]] == [1]
    assert [child["id"] for child in found["children"]] == [3]
    assert found["scene"]["background"] == "a beach"
    assert found["proposed"][0]["label"] == "tree"
    assert found["annotations"][0]["box_xyxy"] == list(rows.DOG_BOX)
    assert found["model"]["revision"]
    assert Path(found["image"]).is_file()


def test_a_candidate_that_is_not_there_is_named(factory):
    assert "no candidate 99" in refused(factory("show", 99))


def test_query_as_json_has_scores_and_the_image(factory):
    found = json.loads(
        answered(
            factory("query", "--label", "dog", "--min", "clip_similarity=0.3", "--format", "json")
        )
    )
    assert [(record["id"], record["origin"]) for record in found] == [
        (1, "generated"),
        (3, "filled"),
    ]
    assert found[0]["scores"] == {"clip_similarity": 0.3}
    assert all(Path(record["image"]).is_file() for record in found)


def test_query_as_csv_has_a_column_per_score(factory):
    text = answered(factory("query", "--origin", "filled", "--format", "csv"))
    first, second = csv.DictReader(io.StringIO(text))
    assert (first["label"], second["label"]) == ("dog", "house")
    assert (first["fill_iou"], first["psnr_db"]) == ("0.83", "")
    assert first["objects"] == "dog tree"


def test_query_as_a_table_names_verdict_and_reason(factory):
    text = answered(factory("query", "--verdict", "rejected", "--reason", "pixels_changed"))
    assert text.count("rejected: pixels_changed") == 2


def ids_of(result):
    return [record["id"] for record in json.loads(answered(result))]


def test_query_sorts_by_a_score_and_keeps_those_without_it(factory):
    asked = ("query", "--label", "dog", "--verdict", "any", "--format", "json")
    assert ids_of(factory(*asked)) == [1, 2, 3, 4]
    assert ids_of(factory(*asked, "--sort", "clip_similarity")) == [2, 1, 3, 4]
    assert ids_of(factory(*asked, "--sort", "clip_similarity:desc")) == [3, 1, 2, 4]
    assert ids_of(factory(*asked, "--sort", "id:desc", "--limit", 2)) == [4, 3]
    assert ids_of(factory(*asked, "--sort", "objects:desc"))[0] == 3
    assert ids_of(factory(*asked, "--sort", "id:asc")) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("order", "told"),
    [
        ("clip_similarty", "no order is called 'clip_similarty'; did you mean 'clip_similarity'"),
        ("ssim:down", "no direction is called 'down'; there are: asc, desc"),
        ("clip:dsc", "did you mean 'clip_similarity' or 'clip_rank'? there are: id, objects, "),
        ("clip:dsc", "fill_iou, seam. no direction is called 'dsc'; did you mean 'desc'?"),
    ],
)
def test_an_order_that_does_not_exist_is_refused(factory, order, told):
    assert told in refused(factory("query", "--sort", order))


def test_a_table_that_is_cut_says_so_on_stderr(factory):
    result = factory("query", "--limit", 3)
    assert len(answered(result).strip().splitlines()) == 4
    assert "3 of 8 candidates" in result.stderr


def test_brackets_in_captions_are_text_not_markup(factory, filled_place):
    with filled_place.sessions.begin() as session:
        batch = session.scalars(select(Batch).order_by(Batch.id)).first()
        candidate = rows.add_candidate(
            filled_place, session, batch, caption="[red]a[/nonsense] dog", prompt_text="[bold]"
        )
    assert "[red]a[/nonsense] dog" in answered(factory("query", "--caption", "nonsense"))
    assert "[bold]" in answered(factory("show", candidate.id))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--min", "clip=0.2"), "label_confidence, clip_similarity"),
        (("--min", "clip_similarity=high"), "expected clip_similarity=NUMBER"),
        (("--min", "ssim=nan"), "expected ssim=NUMBER"),
        (("--max", "clip_similarity"), "expected clip_similarity=NUMBER"),
        (("--reason", "ugly"), "no reason is called 'ugly'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_misspelt_filter_is_refused_instead_of_finding_nothing(factory, words, told):
    assert told in refused(factory("query", *words))


def test_contact_sheet_prints_where_it_is(factory, filled_place, tmp_path):
    assert answered(factory("contact-sheet")).strip() == str(
        filled_place.data_dir / "run-1-contact-sheet.png"
    )
    assert Path(answered(factory("contact-sheet", "--out", tmp_path / "s.png")).strip()).is_file()


def test_a_run_with_nothing_accepted_has_no_contact_sheet(factory, filled_place):
    with filled_place.sessions.begin() as session:
        rows.add_run(session)
    assert "run 2 has no accepted candidate" in refused(factory("contact-sheet"))


@pytest.mark.processes
def test_importing_the_command_line_loads_no_model_library():
    script = (
        "import sys, chatgenimage.factory.cli, chatgenimage.factory.export.coco\n"
        "import chatgenimage.factory.reports.contact_sheet, chatgenimage.factory.app\n"
        "print(*{'torch', 'diffusers', 'transformers', 'open_clip'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=300
    )
    assert done.stdout.strip() == ""


def test_the_help_shows_every_command_in_a_panel():
    text = CliRunner().invoke(app, ["--help"]).stdout
    assert [title for title in PANELS if title not in text] == []
    assert "─ Commands ─" not in text


def test_the_version_is_printed():
    assert CliRunner().invoke(app, ["--version"]).stdout == f"factory {version(PACKAGE)}\n"


@pytest.mark.parametrize("command", get_group(app).commands)
def test_every_command_s_help_has_an_example(command):
    text = CliRunner().invoke(app, [command, "--help"]).stdout
    assert ("Example: factory" in text) == (command != "models")


def shown_on_a_terminal(columns, *words):
    """Return a command's output on a terminal of `columns` columns."""
    code, text = show_on_terminal(*words, columns=columns)
    assert code == 0, text
    return text


@pytest.mark.processes
def test_a_terminal_of_80_columns_has_room_for_every_word(filled_place):
    status = shown_on_a_terminal(80, "status", 1, "--data-dir", filled_place.data_dir)
    models = shown_on_a_terminal(80, "models", "list", "sd15")
    assert "pixels_changed" in status
    assert "stable-diffusion-v1-5/stable-diffusion-v1-5" in models
    assert "…" not in status + models


def test_query_of_nothing_is_an_empty_list_and_a_line_of_columns(factory):
    nothing = ("query", "--caption", "zebra")
    assert json.loads(answered(factory(*nothing, "--format", "json"))) == []
    assert answered(factory(*nothing, "--format", "csv")).startswith("id,run,label,")
