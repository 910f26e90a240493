import json

import pytest
from sqlalchemy import func, select, update
from typer.testing import CliRunner

from chatgenimage.db import dispatching
from chatgenimage.db.models import Batch, Candidate, Label, Run, Step
from chatgenimage.db.quotas import Quota, list_quotas
from chatgenimage.db.run_progress import overview
from chatgenimage.db.states import BatchState, RunState, StepState, Verdict
from chatgenimage.factory.cli import app
from chatgenimage.factory.processes import finalize_run
from chatgenimage.factory.processes.dispatcher import plan_steps
from chatgenimage.factory.progress.quota_text import list_missed
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.submission.labels import LabelRequest
from chatgenimage.factory.submission.quotas import next_sizes
from chatgenimage.factory.submission.submitter import submit
from chatgenimage.tasks.chain import QUEUE_NAMES
from tests import rows


@pytest.fixture(params=["sqlite", "postgres"])
def place(request):
    return request.getfixturevalue(f"{request.param}_place")


def quota(*, accepted=0, images=8, asked=50, max_images=1000):
    return Quota(1, "dog", asked, max_images, accepted, images)


@pytest.mark.parametrize(
    ("state", "sizes"),
    [
        pytest.param(quota(accepted=50), [], id="reached"),
        pytest.param(quota(accepted=60), [], id="more than the quota"),
        pytest.param(quota(accepted=40), [2], id="estimated from the accepted share"),
        pytest.param(quota(accepted=5), [8], id="at most as many as exist"),
        pytest.param(quota(accepted=10, images=40), [8, 8, 8, 8, 8], id="in batches"),
        pytest.param(quota(accepted=0, images=16), [8, 8], id="none accepted so far"),
        pytest.param(quota(accepted=0, images=16, max_images=19), [3], id="up to the limit"),
        pytest.param(quota(accepted=49, images=19, max_images=19), [], id="at the limit"),
    ],
)
def test_the_accepted_share_decides_how_many_images_come_next(state, sizes):
    assert next_sizes(state, 8) == sizes


def submit_words(place, requests, **chain):
    settings = load_settings("micro", chain={"per_label": 4, "batch_size": 4, **chain})
    with place.sessions.begin() as session:
        return submit(session, requests, settings, seed=0).run_id


def work_off(place, accepted, leave=()):
    """Process all waiting batches; `accepted` candidates of each batch are accepted.

    `accepted` has their number by label, or by domain.
    """
    with place.sessions.begin() as session:
        done = 0
        left = select(Batch).where(Batch.state != BatchState.DONE).order_by(Batch.id)
        for batch in session.scalars(left):
            if batch.label.name in leave:
                continue
            batch.state = BatchState.DONE
            for number in range(batch.size):
                good = number < accepted[batch.domain or batch.label.name]
                rows.add_candidate(
                    place,
                    session,
                    batch,
                    key=f"b{batch.index}/g{number}",
                    verdict=Verdict.ACCEPTED if good else Verdict.REJECTED,
                    reason=None if good else "text_mismatch",
                )
            done += 1
    return done


def finish(place, run_id, accepted):
    """Process a run until it is done; return the number of batches done in each pass."""
    waves = []
    while True:
        waves.append(work_off(place, accepted))
        if finalize_run.finish_run(place.sessions, run_id):
            return waves
        assert waves[-1]


def batches(place):
    with place.sessions() as session:
        found = select(Label.name, Batch.index, Batch.size).join(Label, Label.id == Batch.label_id)
        return [tuple(row) for row in session.execute(found.order_by(Label.name, Batch.index))]


def test_a_label_gets_batches_until_it_has_its_quota(place):
    run_id = submit_words(
        place, [LabelRequest("dog", accepted=6), LabelRequest("house")], accepted=2
    )
    assert finish(place, run_id, {"dog": 2, "house": 2}) == [2, 1, 1]
    assert batches(place) == [("dog", 0, 4), ("dog", 1, 4), ("dog", 2, 4), ("house", 0, 4)]


def test_a_label_that_misses_its_quota_ends_at_its_limit_and_says_why(place):
    run_id = submit_words(place, [LabelRequest("dog", accepted=3, max_images=10)])
    finish(place, run_id, {"dog": 0})
    assert batches(place) == [("dog", 0, 4), ("dog", 1, 3), ("dog", 2, 3)]


def test_a_limit_of_images_has_a_default(place):
    submit_words(place, [LabelRequest("dog", accepted=3)])
    submit_words(place, [LabelRequest("cat")])
    with place.sessions() as session:
        labels = select(Label.name, Label.quota, Label.max_images).order_by(Label.id)
        assert session.execute(labels).all() == [("dog", 3, 60), ("cat", None, None)]


def test_the_limit_applies_from_the_first_batch(place):
    submit_words(place, [LabelRequest("dog", accepted=3, max_images=2)])
    assert batches(place) == [("dog", 0, 2)]


def test_batches_are_added_once_by_any_number_of_dispatchers(place):
    run_id = submit_words(place, [LabelRequest("dog", accepted=8)])
    work_off(place, {"dog": 1})
    seen = [finalize_run.prepare_completion(place.sessions, run_id) for _ in range(2)]
    for each in seen:
        assert not finalize_run.write_completion(place.sessions, each)
    assert batches(place) == [("dog", 0, 4), ("dog", 1, 4)]


def test_the_dispatcher_admits_added_batches_and_then_ends_the_run(place):
    run_id = submit_words(place, [LabelRequest("dog", accepted=2)])
    admitted = []
    for _ in range(2):
        with place.sessions.begin() as session:
            dispatching.admit(session, window=4, queues=QUEUE_NAMES, plan_steps=plan_steps)
            admitted.append(session.scalar(select(func.count()).select_from(Step)))
            session.execute(update(Step).values(state=StepState.DONE))
        work_off(place, {"dog": 1})
        finalize_run.finish_run(place.sessions, run_id)
    assert admitted[1] == 2 * admitted[0] > 0
    with place.sessions() as session:
        assert session.get_one(Run, run_id).state == RunState.DONE


def test_near_duplicates_do_not_count(sqlite_place):
    place = sqlite_place
    run_id = submit_words(place, [LabelRequest("dog", accepted=2)])
    work_off(place, {"dog": 2})
    with place.sessions.begin() as session:
        accepted = select(Candidate).where(Candidate.verdict == Verdict.ACCEPTED)
        first, second = session.scalars(accepted.order_by(Candidate.id)).all()
        for candidate in (first, second):
            rows.add_fingerprint(session, candidate)
    assert not finalize_run.finish_run(place.sessions, run_id)
    assert len(batches(place)) == 2


def work_off_label(place, name, accepted):
    """Process the waiting batches of one label; `accepted` of each batch are accepted."""
    with place.sessions() as session:
        others = {label for label in session.scalars(select(Label.name)) if label != name}
    work_off(place, {name: accepted}, leave=others)


def test_a_label_gets_new_batches_while_other_labels_are_in_progress(place):
    submit_words(place, [LabelRequest("dog", accepted=6), LabelRequest("house", accepted=6)])
    work_off_label(place, "dog", 2)
    assert finalize_run.top_up(place.sessions) == 1
    assert finalize_run.top_up(place.sessions) == 0
    assert batches(place) == [("dog", 0, 4), ("dog", 1, 4), ("house", 0, 4)]


def test_each_domain_gets_batches_until_it_has_its_share_of_the_quota(place):
    request = LabelRequest("dog", accepted=7, domains=("on a beach", "in snow"))
    run_id = submit_words(place, [request])
    finish(place, run_id, {"on a beach": 2, "in snow": 1})
    with place.sessions() as session:
        found = session.execute(select(Batch.index, Batch.domain, Batch.size).order_by(Batch.index))
        assert [tuple(row) for row in found] == [
            (0, "on a beach", 2),
            (1, "in snow", 2),
            (2, "on a beach", 2),
            (3, "in snow", 2),
            (4, "in snow", 2),
        ]
        beach, snow = list_quotas(session, run_id)
    assert (beach.title, beach.asked, beach.accepted) == ("dog, on a beach", 4, 4)
    assert (snow.title, snow.asked, snow.accepted) == ("dog, in snow", 3, 3)


def test_a_domain_that_misses_its_quota_ends_at_its_share_of_the_limit(place):
    request = LabelRequest("dog", accepted=4, max_images=9, domains=("on a beach", "in snow"))
    run_id = submit_words(place, [request])
    finish(place, run_id, {"on a beach": 2, "in snow": 0})
    with place.sessions() as session:
        missed = [quota for quota in list_quotas(session, run_id) if quota.missing]
        assert [(one.title, one.images, one.max_images) for one in missed] == [
            ("dog, in snow", 4, 4)
        ]
        lines = list_missed(session.get_one(Run, run_id), overview(session, run_id))
    assert lines[0].startswith("quota_missed: dog, in snow has 0 of 2 accepted after 4 generated")


def test_a_paused_run_gets_no_new_batches(place):
    run_id = submit_words(place, [LabelRequest("dog", accepted=6)])
    work_off_label(place, "dog", 2)
    with place.sessions.begin() as session:
        session.get_one(Run, run_id).state = RunState.PAUSED
    assert finalize_run.top_up(place.sessions) == 0


@pytest.mark.parametrize("first", ["house", "tulip"])
def test_the_added_batches_do_not_depend_on_which_label_is_faster(place, first):
    accepted = {"house": 4, "tulip": 3}
    run_id = submit_words(place, [LabelRequest(name, accepted=4) for name in accepted])
    work_off_label(place, first, accepted[first])
    finalize_run.top_up(place.sessions)
    (second,) = accepted.keys() - {first}
    work_off_label(place, second, accepted[second])
    with place.sessions.begin() as session:  # a tulip looks like a house
        good = select(Candidate).where(Candidate.key == "b0/g0").order_by(Candidate.label_id)
        for candidate in session.scalars(good):
            rows.add_fingerprint(session, candidate)
    while not finalize_run.finish_run(place.sessions, run_id):
        work_off(place, accepted)
    assert batches(place) == [("house", 0, 4), ("tulip", 0, 4), ("tulip", 1, 2)]


@pytest.fixture
def factory(sqlite_place):
    def run(*words):
        words = [*map(str, words), "--data-dir", str(sqlite_place.data_dir)]
        return CliRunner().invoke(app, words)

    return run


def test_status_shows_quotas_and_what_to_do_about_a_missed_one(sqlite_place, factory):
    asked = [LabelRequest("dog", accepted=3, max_images=8), LabelRequest("house", accepted=2)]
    run_id = submit_words(sqlite_place, asked)
    work_off(sqlite_place, {"dog": 1, "house": 2})
    assert "quota_missed" not in factory("status").stdout
    finalize_run.finish_run(sqlite_place.sessions, run_id)
    finish(sqlite_place, run_id, {"dog": 1, "house": 2})
    text = " ".join(factory("status").stdout.split())
    assert "2/3" in text
    assert "quota_missed: dog has 2 of 3 accepted after 8 generated images" in text
    assert "rejected: 6 text_mismatch" in text
    assert "--max-images 16" in text
    assert "quota_missed: house" not in text
    told = json.loads(factory("status", "--json").stdout)["quotas"]
    assert [(each["label"], each["missing"]) for each in told] == [("dog", 1), ("house", 0)]


def test_a_report_has_the_quotas(sqlite_place, factory, tmp_path):
    run_id = submit_words(sqlite_place, [LabelRequest("dog", accepted=3, max_images=4)])
    finish(sqlite_place, run_id, {"dog": 1})
    result = factory("report", run_id, "--out", tmp_path / "report.html")
    assert result.exit_code == 0, result.output
    page = (tmp_path / "report.html").read_text()
    assert "Quotas" in page
    assert '<td class="number short">2</td>' in page
