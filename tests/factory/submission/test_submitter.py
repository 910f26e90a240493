import pytest
from sqlalchemy import func, select

from chatgenimage.db.models import Batch, Label, Run
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.submission.labels import read_labels
from chatgenimage.factory.submission.quotas import split_evenly
from chatgenimage.factory.submission.submitter import submit


@pytest.fixture
def settings(tmp_path):
    return load_settings("micro", data_dir=tmp_path, chain={"per_label": 5, "batch_size": 2})


def submit_words(place, settings, words=("dog", "house"), seed=None):
    with place.sessions.begin() as session:
        return submit(session, read_labels(words).requests, settings, seed=seed)


def finish(place, run_id):
    with place.sessions.begin() as session:
        session.get_one(Run, run_id).state = "done"


def test_labels_become_batches_of_at_most_the_batch_size(place, settings):
    submission = submit_words(place, settings)
    assert (submission.labels, submission.images) == (2, 10)
    with place.sessions() as session:
        assert session.scalars(select(Label.name).order_by(Label.id)).all() == ["dog", "house"]
        assert sorted(session.scalars(select(Batch.size))) == [1, 1, 2, 2, 2, 2]


def test_batches_are_written_in_the_order_of_the_labels(place, settings):
    submit_words(place, settings, ("dog", "house", "cat"))
    with place.sessions() as session:
        batches = session.scalars(select(Batch).order_by(Batch.id))
        names = [batch.label.name for batch in batches if batch.index == 0]
    assert names == ["dog", "house", "cat"]


def test_the_run_freezes_its_profile_without_secrets_or_places(place, settings):
    submission = submit_words(place, settings)
    with place.sessions() as session:
        profile = session.get_one(Run, submission.run_id).profile
    assert profile["chain"]["per_label"] == 5
    assert "data_dir" not in profile


def test_the_same_request_continues_its_unfinished_run(place, settings):
    first = submit_words(place, settings)
    again = submit_words(place, settings)
    assert (again.run_id, again.resumed) == (first.run_id, True)
    assert submit_words(place, settings, ("dog",)).run_id != first.run_id


def test_the_same_request_after_the_end_is_a_new_run_with_another_seed(place, settings):
    first = submit_words(place, settings)
    finish(place, first.run_id)
    second = submit_words(place, settings)
    assert (second.run_id, second.resumed) == (first.run_id + 1, False)
    with place.sessions() as session:
        assert session.scalars(select(Run.seed).order_by(Run.id)).all() == [0, 1]


def test_a_given_seed_is_kept(place, settings):
    submission = submit_words(place, settings, seed=42)
    with place.sessions() as session:
        assert session.get_one(Run, submission.run_id).seed == 42


@pytest.mark.parametrize(
    ("total", "most", "sizes"),
    [(8, 8, [8]), (9, 8, [5, 4]), (1, 8, [1]), (20, 8, [7, 7, 6]), (3, 1, [1, 1, 1])],
)
def test_batches_are_few_and_similar_in_size(total, most, sizes):
    assert list(split_evenly(total, most)) == sizes


def test_many_labels_are_written_in_bulk(place, settings):
    words = [f"word {number}" for number in range(3000)]
    submit_words(place, settings, words)
    with place.sessions() as session:
        assert session.scalar(select(func.count()).select_from(Batch)) == 9000
