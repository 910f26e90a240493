"""Quota: it is reached with the same images after any interruption."""

import pytest
from sqlalchemy import func, select

from chatgenimage.db.models import Batch, Candidate, Run
from chatgenimage.db.states import RunState, Verdict
from tests.e2e.conftest import assert_same_dataset, kill_all, wait_until_gone

ASKED = 6
RUN = ("run", "dog", "tulip", "--accepted", str(ASKED), "--per-label", "4", "--rounds", "0")
ONE = ("--workers", "1")


@pytest.mark.slow  # three runs
def test_a_quota_is_reached_after_everything_was_killed(factory, undisturbed):
    assert undisturbed.call(*RUN, *ONE, "--seed", "5").returncode == 0
    total = undisturbed.count_candidates()
    assert total > 2 * 4  # the first batches were not enough
    running = factory.start(*RUN, *ONE, "--seed", "5")
    factory.wait_for_candidates(9, running)  # one from a batch that the quota added
    kill_all(factory.data_dir)
    running.wait()
    wait_until_gone(factory.data_dir)
    factory.call_json("resume", *ONE)
    assert batches_of(factory) == batches_of(undisturbed)
    assert_same_dataset(factory, undisturbed)


def batches_of(factory):
    """Return the batches of each label; check that the quotas are reached."""
    with factory.sessions() as session:
        assert session.scalars(select(Run.state)).all() == [RunState.DONE]
        accepted = select(Candidate.label_id, func.count())
        accepted = accepted.where(Candidate.verdict == Verdict.ACCEPTED)
        counts = dict(session.execute(accepted.group_by(Candidate.label_id)).all())
        assert sorted(counts) == [1, 2]
        assert min(counts.values()) >= ASKED
        batches = select(Batch.label_id, Batch.index, Batch.size)
        return sorted(map(tuple, session.execute(batches)))
