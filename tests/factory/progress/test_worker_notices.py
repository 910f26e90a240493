"""Notices about a run: its workers and its preview."""

import shlex

import pytest
from sqlalchemy import update

from chatgenimage.db import heartbeats
from chatgenimage.db.models import Batch, LiveWorker, Run
from chatgenimage.factory.background_thread import BackgroundThread
from chatgenimage.factory.commands import PlaceChoice, remembering, use_places
from chatgenimage.factory.processes.heartbeats import WorkerHeartbeats, note_loaded
from chatgenimage.factory.progress.worker_notices import list_notices, list_stops
from tests import rows

QUEUES = ("language", "diffusion", "labeling", "editing", "scoring")


@pytest.fixture
def run_id(place):
    with place.sessions.begin() as session:
        return rows.add_run(session, models_key="m").id


def notices(place, run_id, **options):
    with place.sessions() as session:
        return list_notices(session, session.get_one(Run, run_id), **options)


def beat(place, name, queues, *, is_ready):
    with place.sessions.begin() as session:
        heartbeats.beat(session, name, queues, "m", is_ready=is_ready)


def test_without_a_worker_the_command_that_starts_one_is_printed(place, run_id):
    with remembering():
        use_places(PlaceChoice("my profile.yaml", place.data_dir))
        [told] = notices(place, run_id)
    words = shlex.split(told.partition("start `")[2].rstrip("`"))
    assert words[:3] == ["factory", "worker", "all"]
    assert {"my profile.yaml", str(place.data_dir)} <= set(words)
    assert "no worker serves `language`, `diffusion`, " in told


def test_a_queue_without_a_worker_is_named(place, run_id):
    beat(place, "language@a#1", ["language"], is_ready=True)
    beat(place, "labeling@b#1", ["labeling", "editing", "scoring"], is_ready=True)
    [told] = notices(place, run_id)
    start = "factory worker diffusion --profile micro"
    assert told == f"no worker serves `diffusion`; start `{start}`"


def test_loading_models_is_shown_until_they_are_loaded(place, run_id):
    assert notices(place, run_id, starts_workers=True) == ("starting the worker processes",)
    beat(place, "diffusion@a#3", ["diffusion"], is_ready=True)  # the others still start
    assert notices(place, run_id, starts_workers=True) == ("starting the worker processes",)
    with place.sessions.begin() as session:
        heartbeats.remove(session, "diffusion@a#3")
    beat(place, "all@a#1", QUEUES, is_ready=False)
    assert notices(place, run_id, starts_workers=True) == ("loading models",)
    beat(place, "all@a#2", QUEUES, is_ready=True)
    assert notices(place, run_id) == ("loading models (1 of 2 workers)",)
    note_loaded(place.sessions, "all@a#1")
    assert notices(place, run_id) == ()


def pause(place, run_id, **values):
    with place.sessions.begin() as session:
        session.execute(update(Run).where(Run.id == run_id).values(state="paused", **values))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, "paused: a person paused it; resume it with: `factory resume 1`"),
        (
            {"pause_reason": "the server does not accept the key"},
            "paused: the server does not accept the key; resume it with: `factory resume 1`",
        ),
        (
            {"budget": 1.0, "spent": 2.0, "pause_reason": "its budget is spent"},
            "paused: its budget of 1.00 is spent (2.0000). Give it more, e.g. `factory resume 1",
        ),
    ],
)
def test_a_paused_run_says_why_and_how_it_continues(place, run_id, values, told):
    pause(place, run_id, **values)
    assert notices(place, run_id)[0].startswith(told)


def test_the_command_that_continues_names_the_profile_of_the_run(place, run_id):
    with place.sessions.begin() as session:
        run = session.get_one(Run, run_id)
        run.state, run.profile = "paused", run.profile | {"profile": "sd15"}
    [told, *_] = notices(place, run_id)
    assert told.endswith("resume it with: `factory resume 1 --profile sd15`")


def test_a_pause_during_the_preview_names_both_ways(place, run_id):
    with place.sessions.begin() as session:
        session.execute(update(Batch).values(is_held=True))
    pause(place, run_id)
    with place.sessions() as session:
        waits, paused = list_stops(session, session.get_one(Run, run_id))
    assert waits.startswith("preview: first images of 1 label are not judged yet")
    assert paused == (
        "paused: a person paused it; the same command with --preview continues the preview, and "
        "`factory resume 1` makes everything without asking"
    )


def test_a_worker_has_a_row_while_it_runs(place):
    thread = WorkerHeartbeats(place.sessions, "all@a#1", QUEUES, "m").start()
    assert isinstance(thread, BackgroundThread)
    with thread, place.sessions() as session:
        [found] = session.query(LiveWorker)
        assert (found.queues, found.is_ready) == (list(QUEUES), False)
    with place.sessions() as session:
        assert session.query(LiveWorker).all() == []


def test_a_previewed_run_says_what_waits_for_the_answer(place, run_id):
    beat(place, "all@a#1", QUEUES, is_ready=True)
    with place.sessions.begin() as session:
        batch = rows.batch_of(session, session.get_one(Run, run_id))
        batch.is_held = True
    assert notices(place, run_id) == (
        "preview: first images of 1 label are not judged yet; the rest waits for an answer",
    )
    with place.sessions.begin() as session:
        rows.add_steps(session, session.merge(batch), rows.SCENE_CHAIN, done=len(rows.CHAIN))
    [told] = notices(place, run_id)
    assert told.startswith("the preview is ready and waits for an answer: `factory resume ")
    assert "makes edits and fills; " in told
