"""The live view of 300 labels on small and large screens, and on a real terminal."""

import io
import re

import pytest
from rich.console import Console
from sqlalchemy import insert, update

from chatgenimage.db.clock import now
from chatgenimage.db.models import Candidate, Item, Label, Run
from chatgenimage.db.session import reading
from chatgenimage.db.states import BatchState, StepState
from chatgenimage.factory.progress.label_rows import read_label_rows
from chatgenimage.factory.progress.live_view import live_view
from chatgenimage.factory.progress.snapshot import RunMonitor
from chatgenimage.tasks.filter_rules import REASONS
from tests import rows
from tests.terminal import Screen, show_on_terminal

LABELS = 300
DONE = 100
LONG = "wheelie bin with a very long lid"
SIZES = [(80, 24), (160, 50)]
WORKERS = 12


@pytest.fixture
def run_id(place):
    """A run of 300 labels: 100 are done with all kinds of rejections, 12 have a worker."""
    with place.sessions.begin() as session:
        names = [f"{LONG if number % 3 else 'dog'} {number:03d}" for number in range(LABELS)]
        run = rows.add_run(session, names)
        session.execute(update(Label).values(quota=8, max_images=99))
        batches = rows.batches_of(session, run)
        first = rows.add_candidate(place, session, batches[0], verdict="rejected", reason="blur")
        columns = {c.key: getattr(first, c.key) for c in Candidate.__table__.columns}
        del columns["id"]
        found = [{"verdict": "accepted", "reason": None}]
        found += [{"verdict": "rejected", "reason": reason} for reason in list(REASONS)[:6]]
        session.execute(
            insert(Candidate),
            [
                columns | one | {"label_id": b.label_id, "batch_id": b.id, "key": f"b0/x{index}"}
                for b in batches[:DONE]
                for index, one in enumerate(found)
            ],
        )
        for batch in batches[:DONE]:
            batch.state = BatchState.DONE
        for number, batch in enumerate(batches[DONE : DONE + WORKERS]):
            step = rows.add_steps(session, batch, rows.SCENE_CHAIN)[0]
            step.state, step.owner = StepState.RUNNING, f"all@a-machine#{number}/{number}"
            step.started_at = now(session)
            rows.add_item(
                session, step, 1, state="quarantined", error="ValueError: " + "long " * 50
            )
        return run.id


def shown(place, run_id, width, height):
    file = io.StringIO()
    console = Console(width=width, height=height, file=file)
    snapshot = RunMonitor(place.sessions, run_id, by_label=False).look(height)
    console.print(live_view(snapshot, width, height))
    return file.getvalue().splitlines()


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_300_labels_fit_on_the_screen(place, run_id, width, height):
    lines = shown(place, run_id, width, height)
    assert len(lines) == height - 1
    assert max(map(len, lines)) <= width
    [head] = [line for line in lines if line.startswith("label")]
    assert head.split()[-3:] == ["accepted", "share", "rejected"]
    assert ("brainstorm" in head) == (width == 160)
    table = lines[lines.index(head) + 1 :]
    labels = [line for line in table if line.startswith(("dog", "wheelie bin with a"))]
    assert len(labels) > height // 5
    assert all(re.search(r"\d/8 ", line) for line in labels)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_labels_in_work_come_first_and_the_others_are_counted(place, run_id, width, height):
    lines = shown(place, run_id, width, height)
    first = next(index for index, line in enumerate(lines) if line.startswith("label")) + 1
    assert "…" in lines[first]  # a long label keeps a part of its name
    [rest] = [line for line in lines if "more labels" in line]
    more = lines.index(rest) - first
    assert rest.startswith(f"and {LABELS - more} more labels: ")
    numbers = [int(number) for number in re.findall(r"\d+", rest)]
    assert sum(numbers[1:]) == numbers[0]
    assert any(line.startswith("and ") and "more workers" in line for line in lines)


def test_reasons_are_cut_at_the_end_of_their_line(place, run_id):
    done = [line for line in shown(place, run_id, 80, 200) if " 1/8 " in line]
    assert len(done) == DONE
    assert all(line.endswith("…") for line in done)


def test_as_many_labels_as_lines_are_in_the_order_of_the_submission(place):
    with place.sessions.begin() as session:
        rows.add_run(session, ("owl", "dog", "cat"))
    lines = shown(place, 1, 80, 24)
    first = next(index for index, line in enumerate(lines) if line.startswith("label"))
    assert [line.split()[0] for line in lines[first + 1 : first + 4]] == ["owl", "dog", "cat"]
    assert not any("more labels" in line for line in lines)


STATES = [
    ("active", None, "active; time left not known yet; 10 given up", "paused"),
    ("paused", "its budget is spent", "paused: its budget is spent; resume it with: ", "left"),
    ("paused", None, "paused: a person paused it; resume it with: `factory resume 1`", "left"),
    ("cancelled", None, "cancelled; 10 given up", "will be retried"),
]


@pytest.mark.parametrize("case", STATES, ids=str)
def test_the_state_of_a_run_is_shown_in_words(place, run_id, case):
    state, reason, told, not_told = case
    with place.sessions.begin() as session:
        session.execute(update(Run).values(state=state, pause_reason=reason))
        session.execute(update(Item).where(Item.id < 3).values(state="ready"))
    lines = shown(place, run_id, 80, 24)
    assert told in " ".join(lines)
    assert not_told not in " ".join(lines)
    assert len(lines) < 24


def test_a_long_label_cuts_neither_numbers_nor_errors(place, run_id):
    lines = shown(place, run_id, 80, 24)
    assert any(re.search(r"^all@a-machine \d+  brainstorm \d/1  \d+ s ", line) for line in lines)
    assert all("ValueError: " in line for line in lines if line.startswith(("given", "failed")))


def test_the_rest_of_the_labels_is_counted_by_state(place, run_id):
    with reading(place.sessions) as session:
        found = read_label_rows(session, run_id, 20)
    assert (found.states.in_flight, found.states.waiting, found.states.done) == (12, 188, 100)
    rest = found.count_rest(15)
    assert (rest.in_flight, rest.waiting, rest.done) == (0, 188, 97)


@pytest.mark.processes
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_real_terminal_shows_the_whole_view(place, run_id, width, height):
    with place.sessions.begin() as session:
        session.execute(update(Run).values(state="done", finished_at=now(session)))
    screen = Screen()
    words = ("watch", "1", "--data-dir", place.data_dir)
    _, text = show_on_terminal(*words, columns=width, lines=height, each=screen.write)
    fullest = max(screen.frames, key=len)
    assert fullest[0].startswith("run 1 ")
    assert any("accepted  share  rejected" in line for line in fullest)
    assert any("more labels" in line for line in fullest)
    assert len(fullest) <= height
    assert max(map(len, fullest)) <= width, text
