"""Problems of a run as each output shows them: rows of a run in which much failed."""

import json

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from chatgenimage.db.error_messages import reason_of
from chatgenimage.db.models import Batch, Candidate, Notification, Placement, Run, VisualAnswer
from chatgenimage.db.run_problems import find_common_failure, find_problems
from chatgenimage.db.session import reading
from chatgenimage.db.states import WHOLE_STEP, Channel, RunEvent, RunState
from chatgenimage.factory.cli import app
from chatgenimage.factory.notifications.notifier import notification_record
from chatgenimage.factory.problems import has_failed, problem_lines
from tests import rows

TRACE = """Traceback (most recent call last):
  File "/a/b.py", line 1, in ask
    raise AnswerRefused(text)
chatgenimage.workers.errors.AnswerRefused: m at host: Error code: 401 - no. Check OPENAI_API_KEY.
"""
REFUSED = """Traceback (most recent call last):
sqlalchemy.exc.DataError: (psycopg.errors.X) value too long
[SQL: INSERT]
(Background on this error at: https://sqlalche.me/e/20/9h9h)
"""


@pytest.fixture
def failed_place(place):
    """Label dog with a family and refused placements, house given up, tree rejected."""
    with place.sessions.begin() as session:
        run = rows.add_run(session, ("dog", "house", "tree"), state="done")
        run.finished_at = run.created_at + 1
        dog, house, tree = session.scalars(select(Batch).order_by(Batch.id))
        root, *_ = rows.add_family(place, session, dog)
        rows.add_candidate(place, session, tree, key="b0/g0", verdict="rejected", reason="blank")
        session.flush()
        for index in range(10, 36):
            session.add(
                Placement(
                    candidate_id=root.id,
                    index=index,
                    label="cat",
                    x_min=0,
                    y_min=0,
                    x_max=1,
                    y_max=1,
                    relationship_text="",
                    problem="too_small" if index < 34 else "surplus",
                )
            )
        steps = rows.add_steps(session, house)
        rows.add_item(session, steps[0], house.id, "quarantined", TRACE)
        rows.add_item(session, steps[3], root.id, "quarantined", "Traceback\nValueError: bad")
        rows.add_item(session, steps[3], WHOLE_STEP, "quarantined", "Traceback\nValueError: bad")
        rows.add_item(session, steps[2], root.id, "done")
    return place


def call(place, *words):
    return CliRunner().invoke(app, [*words, "--data-dir", str(place.data_dir)])


def test_the_problems_of_a_run_are_counted_with_an_example_each(failed_place):
    with reading(failed_place.sessions) as session:
        found = find_problems(session, 1)
        root = session.scalars(select(Candidate).order_by(Candidate.id)).first()
    assert found.quarantined == 3
    assert found.settled == 4
    by_step = {one.step: one for one in found.given_up}
    refusal = by_step["brainstorm"]
    assert refusal.reason == "m at host: Error code: 401 - no. Check OPENAI_API_KEY."
    assert (refusal.count, refusal.label, refusal.key) == (1, "house", "b0")
    assert by_step["filter"].reason == "ValueError: bad"
    assert (by_step["filter"].count, by_step["filter"].key) == (2, root.key)
    assert found.refused["too_small"] == 24
    assert "surplus" not in found.refused  # valid, and only not needed
    assert found.without_candidates.examples == ("house",)
    assert found.without_accepted.examples == ("tree",)
    assert has_failed(RunState.DONE, found)


def test_unread_answers_of_the_judge_are_counted_and_no_failure(place, tmp_path):
    with place.sessions.begin() as session:
        run = rows.add_run(session, state="done")
        [batch] = rows.batches_of(session, run)
        candidate = rows.add_candidate(place, session, batch, scores={})
        session.flush()
        for index, (name, value) in enumerate(
            [("seen_whole", 0.8), ("seen_count", None), ("seen_boxes", None), ("seen_boxes", None)]
        ):
            said = {"question": "?", "answer": "several", "value": value, "model": "seer"}
            session.add(VisualAnswer(candidate_id=candidate.id, name=name, index=index, **said))
    with reading(place.sessions) as session:
        found = find_problems(session, 1)
    assert (found.unread, found.judged) == ({"seen_boxes": 2, "seen_count": 1}, 4)
    assert not has_failed(RunState.DONE, found)
    page = tmp_path / "report.html"
    shown = [call(place, "status", "1").output]
    call(place, "report", "1", "--out", str(page))
    shown.append(page.read_text())
    for text in shown:
        assert "3 of 4 answers of the judge could not be read" in " ".join(text.split())
    assert "several [seen_count unread, seer]" in call(place, "show", str(candidate.id)).output


def test_a_run_that_continues_is_not_blamed_for_labels_whose_turn_comes(failed_place):
    with failed_place.sessions.begin() as session:
        session.get_one(Run, 1).state = RunState.ACTIVE
    with reading(failed_place.sessions) as session:
        found = find_problems(session, 1)
    assert found.without_candidates.count == found.without_accepted.count == 0
    assert found.quarantined == 3


@pytest.mark.parametrize("words", [("status", "1"), ("watch", "1"), ("report", "1", "--out")])
def test_every_output_shows_them(failed_place, tmp_path, words):
    page = tmp_path / "report.html"
    result = call(failed_place, *words, *([str(page)] if words[-1] == "--out" else []))
    told = page.read_text() if words[-1] == "--out" else result.output
    for part in (
        "3 of 4 items were given up",
        "brainstorm: m at host: Error code: 401",
        "house b0",
        "24 too_small",
        "1 label has no candidate: house",
        "1 label has no accepted candidate: tree",
    ):
        assert part in told
    assert result.exit_code == (words[0] == "watch")


def test_programs_get_them_as_values(failed_place):
    with failed_place.sessions.begin() as session:
        session.add(
            Notification(run_id=1, event=RunEvent.DONE, channel=Channel.COMMAND, created_at=0)
        )
        session.flush()
        told = notification_record(session, session.scalars(select(Notification)).one())
    status = json.loads(call(failed_place, "status", "1", "--json").stdout)
    watched = call(failed_place, "watch", "1", "--json")
    assert watched.exit_code == 1
    for record in (told, status, json.loads(watched.stdout.splitlines()[-1])):
        assert record["problems"]["quarantined"] == 3
        assert record["problems"]["refused"]["too_small"] == 24
    assert told["failed"] is True


def test_nothing_is_told_of_a_run_without_problems(place):
    with place.sessions.begin() as session:
        rows.add_run(session, state="done")
        (batch,) = session.scalars(select(Batch))
        rows.add_candidate(place, session, batch)
    with reading(place.sessions) as session:
        found = find_problems(session, 1)
    assert problem_lines(1, found) == []
    assert not has_failed(RunState.DONE, found)
    assert has_failed(RunState.CANCELLED, found)


@pytest.mark.parametrize(
    ("states", "is_futile"),
    [(["quarantined"] * 3, True), (["quarantined"] * 3 + ["done"], False), (["done"], False)],
)
def test_only_a_run_in_which_everything_fails_alike_is_stopped(place, states, is_futile):
    with place.sessions.begin() as session:
        rows.add_run(session, batches=len(states))
        batches = session.scalars(select(Batch).order_by(Batch.id)).all()
        for batch, state in zip(batches, states, strict=True):
            rows.add_item(session, rows.add_steps(session, batch)[0], batch.id, state, TRACE)
    with reading(place.sessions) as session:
        assert (find_common_failure(session, 1, 3) is not None) == is_futile
        assert find_common_failure(session, 1, 4) is None


@pytest.mark.parametrize(
    ("trace", "reason"),
    [
        (TRACE, "m at host: Error code: 401 - no. Check OPENAI_API_KEY."),
        ("its worker died each time it was tried", "its worker died each time it was tried"),
        ("Traceback\nKeyError: 'score'", "KeyError: 'score'"),
        ("Traceback\nKeyboardInterrupt", "KeyboardInterrupt"),
        (
            REFUSED,
            "DataError: (psycopg.errors.X) value too long",
        ),
        ("", ""),
        (None, ""),
    ],
)
def test_the_reason_is_what_the_exception_says(trace, reason):
    assert reason_of(trace) == reason


@pytest.mark.parametrize("length", [1_000, 1_965, 2_000, 2_001, 9_000])
def test_the_reason_is_whole_however_long_its_traceback_is(place, length):
    trace = TRACE.replace("/a/b.py", "/" * (length - len(TRACE) + len("/a/b.py")))
    assert len(trace) == length
    with place.sessions.begin() as session:
        run = rows.add_run(session)
        steps = rows.add_steps(session, rows.batch_of(session, run))
        rows.add_item(session, steps[0], 1, "quarantined", trace)
    with reading(place.sessions) as session:
        [found] = find_problems(session, run.id).given_up
    assert found.reason == reason_of(TRACE)
