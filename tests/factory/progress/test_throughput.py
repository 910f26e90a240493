"""Rates of late, and the time that is left at them."""

import pytest

from chatgenimage.db.run_activity import ComputeProgress
from chatgenimage.factory.progress.throughput import ProgressSample, Throughput


def paced(*samples):
    throughput = Throughput()
    for sample in samples:
        throughput.add(ProgressSample(*sample))
    return throughput


def test_nothing_is_said_before_enough_was_seen():
    for throughput in (paced(), paced((0, 0, 0, 0)), paced((0, 0, 0, 0), (4, 9, 9, 9))):
        assert throughput.eta_s(ComputeProgress(9, 9)) is None
        assert throughput.images_per_min is None


def test_what_is_left_takes_as_long_as_the_work_of_late():
    throughput = paced((0, 0, 0, 0), (10, 20, 5, 3))
    assert throughput.eta_s(ComputeProgress(20, 30)) == pytest.approx(15)
    assert throughput.images_per_min == pytest.approx(30)
    assert throughput.accepted_per_min == pytest.approx(18)


def test_a_run_that_stands_still_has_no_time_left_that_anyone_knows():
    assert paced((0, 5, 1, 1), (60, 5, 1, 1)).eta_s(ComputeProgress(5, 30)) is None


def test_what_no_one_has_seen_yet_cannot_be_foretold():
    assert paced((0, 0, 0, 0), (10, 20, 0, 0)).eta_s(ComputeProgress(20, None)) is None


def test_only_the_last_two_minutes_count():
    steady = [(second, second * 10.0, second, 0) for second in range(0, 600, 10)]
    slow = [(600 + second, 6000 + second, 600, 0) for second in range(0, 131, 10)]
    throughput = paced(*steady, *slow)
    assert throughput.eta_s(ComputeProgress(0, 10)) == pytest.approx(10, rel=0.05)
    assert throughput.images_per_min == 0
