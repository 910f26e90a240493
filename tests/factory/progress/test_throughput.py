"""Recent rates, and the estimated time left."""

import pytest

from chatgenimage.db.run_activity import Work
from chatgenimage.factory.progress.throughput import Pace, Sample


def paced(*samples):
    pace = Pace()
    for sample in samples:
        pace.add(Sample(*sample))
    return pace


def test_there_are_no_rates_before_enough_was_measured():
    for pace in (paced(), paced((0, 0, 0, 0)), paced((0, 0, 0, 0), (4, 9, 9, 9))):
        assert pace.eta_s(Work(9, 9)) is None
        assert pace.images_per_min is None


def test_the_time_left_follows_from_the_recent_rate():
    pace = paced((0, 0, 0, 0), (10, 20, 5, 3))
    assert pace.eta_s(Work(20, 30)) == pytest.approx(15)
    assert pace.images_per_min == pytest.approx(30)
    assert pace.accepted_per_min == pytest.approx(18)


def test_a_stalled_run_has_no_estimate():
    assert paced((0, 5, 1, 1), (60, 5, 1, 1)).eta_s(Work(5, 30)) is None


def test_without_samples_there_is_no_estimate():
    assert paced((0, 0, 0, 0), (10, 20, 0, 0)).eta_s(Work(20, None)) is None


def test_only_the_last_two_minutes_count():
    steady = [(second, second * 10.0, second, 0) for second in range(0, 600, 10)]
    slow = [(600 + second, 6000 + second, 600, 0) for second in range(0, 131, 10)]
    pace = paced(*steady, *slow)
    assert pace.eta_s(Work(0, 10)) == pytest.approx(10, rel=0.05)
    assert pace.images_per_min == 0
