"""`factory runs`, and the labels of a run by `factory status`."""

import json

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from chatgenimage.db import control
from chatgenimage.db.label_progress import LabelOrder, count_label_states, list_label_progress
from chatgenimage.db.models import Label, Run, Step
from chatgenimage.db.session import reading
from chatgenimage.db.states import BatchState, RunState, StepState, Verdict
from chatgenimage.factory.cli import app
from chatgenimage.factory.progress.label_rows import read_label_rows
from chatgenimage.factory.submission.labels import read_labels
from tests import rows
from tests.factory.answers import answered, refused

SUBMITTED = ["owl", "dog", "cat", "house", "tree"]


def add_five_labels(place):
    """Add a run with five labels: full, half full, empty, in work, and not begun."""
    with place.sessions.begin() as session:
        run = rows.add_run(session, SUBMITTED, batches=2)
        labels = session.scalars(select(Label).order_by(Label.id)).all()
        batches = rows.batches_of(session, run)
        for batch in batches[:6]:
            batch.state = BatchState.DONE
        for batch in (batches[0], batches[0], batches[2]):
            rows.add_candidate(place, session, batch)
        for batch, reason in ((2, "blur"), (4, "blur"), (4, "text_mismatch"), (4, "blur")):
            rejected = {"verdict": Verdict.REJECTED, "reason": reason}
            rows.add_candidate(place, session, batches[batch], **rejected)
        step = rows.add_steps(session, batches[6])[0]
        step.state, step.owner = StepState.RUNNING, "all@box#1"
        labels[1].quota, labels[1].max_images, labels[1].mode = 2, 9, "object"
        labels[4].domains = {"at night": "night", "in fog": "fog"}
        return run.id


@pytest.fixture
def run_id(place):
    return add_five_labels(place)


@pytest.fixture
def factory(place):
    def call(*words):
        return CliRunner().invoke(app, [*map(str, words), "--data-dir", str(place.data_dir)])

    return call


def names_in(text):
    return [line.split()[0] for line in text.splitlines()[1:]]


def test_labels_come_as_submitted_or_sorted_with_counts_and_reasons(factory, run_id):
    text = answered(factory("status", "--by-label"))
    assert names_in(text) == SUBMITTED
    worst = ["cat", "house", "tree", "dog", "owl"]
    assert names_in(answered(factory("status", "--sort", "accepted"))) == worst
    cat = next(line for line in text.splitlines() if line.startswith("cat"))
    assert cat.split() == ["cat", "0/2", "2", "3", "3", "done", "2", "blur,", "1", "text_mismatch"]
    assert names_in(answered(factory("status", "--sort", "name")))[0] == "cat"
    assert names_in(answered(factory("status", "--sort", "rejected")))[:2] == ["cat", "dog"]
    assert names_in(answered(factory("status", "--short")))[-1] == "dog"
    assert names_in(answered(factory("status", "--by-label", "--limit", 1))) == SUBMITTED[:1]


def test_results_are_in_the_order_of_the_submission(factory, place, run_id):
    lines = answered(factory("status")).splitlines()
    table = lines[next(n for n, line in enumerate(lines) if line.startswith(" label ")) :]
    assert [line.split()[0] for line in table[1:4]] == ["owl", "dog", "cat"]
    with reading(place.sessions) as session:
        shown = [one.label for one in read_label_rows(session, run_id, 9).labels]
    assert shown == SUBMITTED


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (
            RunState.ACTIVE,
            "No image yet: 1 batch is not started, 1 batch is at the step brainstorm.",
        ),
        (RunState.PAUSED, "No image yet: the run is paused. Resume it with: factory resume 1 "),
        (RunState.CANCELLED, "No image: the run was cancelled before its first one."),
        (RunState.DONE, "No image: the run ended without one."),
    ],
)
def test_a_run_without_images_says_what_it_waits_for(factory, place, state, told):
    with place.sessions.begin() as session:
        run = rows.add_run(session, ["dog", "house"], state=state)
        first = rows.batch_of(session, run)
        first.state = BatchState.IN_FLIGHT
        rows.add_steps(session, first)
    text = answered(factory("status"))
    assert told in " ".join(text.split())
    assert "Results by label" not in text


def test_labels_as_json_have_all_the_numbers(factory, run_id):
    found = json.loads(answered(factory("status", "--short", "--json")))
    assert [one["label"] for one in found] == ["cat", "house", "tree", "dog"]
    assert found[0]["reasons"] == {"blur": 2, "text_mismatch": 1}
    assert [one["state"] for one in found] == ["done", "running", "waiting", "done"]
    assert found[3] | {"label_id": 0, "reasons": {}} == {
        "label_id": 0,
        "label": "dog",
        "asked": 2,
        "has_quota": True,
        "made": 2,
        "accepted": 1,
        "rejected": 1,
        "state": "done",
        "missing": 1,
        "reasons": {},
    }


def test_short_labels_become_a_label_file_for_another_run(factory, run_id, place, tmp_path):
    with place.sessions.begin() as session:
        run = session.get_one(Run, 1)
        words = {"painted": {"cat": "a tabby"}, "phrases": {"cat": ["cat", "tabby"]}}
        words["styles"] = {"cat": "a photo of {prompt}"}
        words |= {"negative_prompts": {"cat": "snow"}, "sizes": {"cat": [96, 64]}}
        words["search_for"] = "run"
        run.profile = run.profile | {"chain": run.profile["chain"] | words}
    path = tmp_path / "short labels.csv"
    told = factory("status", 1, "--csv", path).stderr
    assert "Run 1 is active: the file also asks for what this run still makes." in told
    assert f"4 labels are short; {path}" in told
    assert f"factory submit --file '{path}' --seed 1 --rounds" in told
    assert " --search-for run " in told
    wanted = {one.label: one for one in read_labels(files=[path]).requests}
    assert (wanted["cat"].per_label, wanted["cat"].accepted) == (2, None)
    cat = wanted["cat"]
    assert (cat.prompt, cat.detect) == ("a tabby", ("cat", "tabby"))
    assert cat.style == "a photo of {prompt}"
    assert (cat.negative_prompt, cat.size_wh) == ("snow", (96, 64))
    dog = wanted["dog"]
    assert (dog.accepted, dog.max_images, dog.mode) == (1, 9, "object")
    assert wanted["tree"].domains == ("at night", "in fog")


def test_a_short_label_with_domains_asks_for_one_image_of_each(factory, run_id, place, tmp_path):
    with place.sessions.begin() as session:
        tree = session.scalars(select(Label).where(Label.name == "tree")).one()
        tree.per_label, tree.domains = 2, ["at night", "in fog", "in snow"]
    path = tmp_path / "short.csv"
    answered(factory("status", 1, "--csv", path))
    wanted = {one.label: one for one in read_labels(files=[path]).requests}
    assert wanted["tree"].per_label == 3


def test_short_labels_go_to_standard_output_or_into_a_csv_file(factory, run_id, tmp_path):
    told = factory("status", 1, "--csv", "-")
    assert told.stdout.startswith("label,prompt,detect,")
    assert "4 labels are short" in told.stderr
    path = tmp_path / "short.txt"
    assert "expected a name that ends with .csv" in refused(factory("status", 1, "--csv", path))
    assert not path.exists()


def test_without_a_short_label_there_is_no_file(factory, run_id, place, tmp_path):
    with place.sessions.begin() as session:
        for label in session.scalars(select(Label)):
            label.quota = 0
    path = tmp_path / "short.csv"
    assert "no label of run 1" in refused(factory("status", 1, "--csv", path))
    assert not path.exists()


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_the_labels_in_work_come_first_on_both_databases(request, kind):
    there = request.getfixturevalue(f"{kind}_place")
    add_five_labels(there)
    with reading(there.sessions) as session:
        active = list_label_progress(session, 1, LabelOrder.ACTIVE, limit=4)
        assert [one.label for one in active] == ["house", "cat", "dog", "tree"]
        states = count_label_states(session, 1, 5)
        assert (states.in_flight, states.waiting, states.done) == (1, 1, 3)


def test_status_says_that_no_worker_is_there(factory, run_id, place):
    with place.sessions.begin() as session:
        step = session.scalars(select(Step).where(Step.position == 0)).one()
        step.state, step.queue = StepState.READY, "language"
    start = f"start `factory worker all --profile micro --data-dir {place.data_dir}`"
    told = f"no worker serves `language`; {start}"
    assert told in answered(factory("status"))
    assert json.loads(answered(factory("status", "--json")))["notices"] == [told]


def test_runs_come_newest_first_with_labels_times_and_counts(factory, run_id, place):
    with place.sessions.begin() as session:
        rows.add_run(session, [f"label {number}" for number in range(8)])
        control.set_run_state(session, session.get_one(Run, 1), RunState.CANCELLED)
    text = answered(factory("runs"))
    [second, first] = text.splitlines()[1:]
    assert second.split()[0] == "2"
    assert "label 0, label 1, label 2, label 3, label 4 and 3 more" in second
    assert first.split()[-3:] == ["7", "3", "10"]
    assert "owl, dog, cat, house, tree" in first
    assert "cancelled" in first
    result = factory("runs", "--limit", 1)
    assert len(answered(result).splitlines()) == 2
    assert "1 of 2 runs" in result.stderr


def test_runs_as_json(factory, run_id):
    [run] = json.loads(answered(factory("runs", "--json")))
    assert (run["run_id"], run["labels"], run["asked"], run["accepted"]) == (1, 5, 10, 3)
    assert run["names"] == ["owl", "dog", "cat", "house", "tree"]
    assert run["finished_at"] is None
