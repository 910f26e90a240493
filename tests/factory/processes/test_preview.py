"""`factory run --preview`: one image of each label first, the same rows after."""

import pytest
from sqlalchemy import select

from chatgenimage.db.models import Batch, Candidate, Run, Step
from chatgenimage.db.preview import HeldWork, is_previewed, list_first_images, measure_held
from chatgenimage.db.states import BatchState, RunState, StepState
from chatgenimage.factory.progress.worker_notices import list_notices
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.submission.labels import read_labels
from chatgenimage.factory.submission.submitter import submit
from tests import rows
from tests.terminal import interrupt_question


def submit_dogs(place, *, previews):
    settings = load_settings("micro", data_dir=place.data_dir, chain={"per_label": 20})
    with place.sessions.begin() as session:
        requests = read_labels(["dog", "house"]).requests
        return submit(session, requests, settings, seed=0, previews=previews).run_id


def batches_of(place, run_id):
    query = select(Batch).where(Batch.run_id == run_id).order_by(Batch.label_id, Batch.index)
    with place.sessions() as session:
        return [(batch.size, batch.is_held) for batch in session.scalars(query)]


def test_the_first_image_of_each_label_is_a_batch_and_the_others_are_held(place):
    run_id = submit_dogs(place, previews=True)
    a_label = [(1, True), (6, True), (7, True), (6, True)]
    assert batches_of(place, run_id) == 2 * a_label
    with place.sessions() as session:
        assert measure_held(session, run_id) == HeldWork(batches=6, images=38, first_batches=2)


def test_without_a_preview_the_same_request_continues_with_all_its_batches(place):
    run_id = submit_dogs(place, previews=True)
    assert submit_dogs(place, previews=True) == run_id
    assert any(held for _, held in batches_of(place, run_id))
    assert submit_dogs(place, previews=False) == run_id
    assert not any(held for _, held in batches_of(place, run_id))


def judge_first_images(place, session):
    for batch in session.scalars(select(Batch).where(Batch.index == 0).order_by(Batch.id)):
        rows.add_steps(session, batch, rows.SCENE_CHAIN, done=len(rows.CHAIN))
        rows.add_candidate(place, session, batch, [])


def test_a_preview_is_ready_when_the_first_images_are_judged(place):
    run_id = submit_dogs(place, previews=True)
    with place.sessions.begin() as session:
        assert not is_previewed(session, run_id)
        judge_first_images(place, session)
        assert is_previewed(session, run_id)
        assert list_first_images(session, run_id, 1) == [1]
        filters = select(Step).where(Step.name == "filter").order_by(Step.position)
        session.scalars(filters).first().state = StepState.READY
        assert not is_previewed(session, run_id)


@pytest.mark.processes
@pytest.mark.models
def test_the_command_stops_after_the_first_images_and_resume_makes_the_rest(tmp_path):
    from typer.testing import CliRunner

    from chatgenimage.factory.cli import app

    place = ["--data-dir", str(tmp_path)]
    words = ["run", "dog", "--per-label", "2", "--workers", "1", "--preview"]
    ended = CliRunner().invoke(app, [*words, *place])
    assert ended.exit_code == 0, ended.output
    assert f"Preview        {tmp_path}/run-1-preview.png (1 image)" in ended.stderr
    assert "Run 1 is paused after its preview. Continue: factory resume 1" in ended.stderr
    sessions = rows.open_place(tmp_path).sessions
    with sessions() as session:
        assert session.get_one(Run, 1).state == RunState.PAUSED
        [first] = session.scalars(select(Candidate.sha256))  # no edit, no fill
        [notice] = list_notices(session, session.get_one(Run, 1))
    assert notice == (
        "the preview is ready and waits for an answer: `factory resume 1` makes edits and fills, "
        "and 1 more first image; `factory cancel 1` gives the run up"
    )
    resumed = CliRunner().invoke(app, ["resume", "1", "--workers", "1", *place])
    assert resumed.exit_code == 0, resumed.output
    assert "2 of them waited for the answer to its preview" in resumed.stderr
    with sessions() as session:
        assert set(session.scalars(select(Batch.state))) == {BatchState.DONE}
        made = session.scalars(select(Candidate.sha256)).all()
    assert len(made) > 2
    assert first in made


@pytest.mark.processes
@pytest.mark.models
def test_a_run_that_is_only_its_first_images_ends_without_a_question(tmp_path):
    from typer.testing import CliRunner

    from chatgenimage.factory.cli import app

    words = ["run", "dog", "--per-label", "1", "--rounds", "0", "--workers", "1", "--preview"]
    ended = CliRunner().invoke(app, [*words, "--data-dir", str(tmp_path)])
    assert ended.exit_code == 0, ended.output
    assert "run-1-preview.png (1 image)" in ended.stderr
    assert "paused" not in ended.stderr
    with rows.open_place(tmp_path).sessions() as session:
        assert session.get_one(Run, 1).state == RunState.DONE


@pytest.mark.processes
@pytest.mark.models
def test_ctrl_c_at_the_question_leaves_the_run_waiting(sqlite_place):
    run_id = submit_dogs(sqlite_place, previews=True)
    with sqlite_place.sessions.begin() as session:
        judge_first_images(sqlite_place, session)
    before = batches_of(sqlite_place, run_id)
    words = ("run", "dog", "house", "--per-label", "20", "--seed", "0", "--workers", "1")
    place = ("--data-dir", sqlite_place.data_dir)
    code, shown = interrupt_question("[y/N]:", *words, "--preview", *place)
    assert code == 130, shown
    line = f"Stopped; nothing is lost. Run {run_id} is paused after its preview. Continue: "
    assert f"{line}factory resume {run_id} --data-dir" in shown
    with sqlite_place.sessions() as session:
        [run] = session.scalars(select(Run))
        assert run.state == RunState.PAUSED
    assert batches_of(sqlite_place, run_id) == before
