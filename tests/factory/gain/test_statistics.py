import math

import pytest
from scipy.stats import ttest_1samp

from chatgenimage.factory.gain.statistics import interval_of, paired_difference


def test_the_interval_is_that_of_a_t_test():
    values = [0.61, 0.55, 0.68, 0.6]
    found = interval_of(values)
    expected = ttest_1samp(values, 0).confidence_interval(0.95)
    assert found.mean == pytest.approx(0.61)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_one_value_has_no_interval():
    found = interval_of([0.5])
    assert math.isinf(found.half_width)
    assert not found.is_positive
    assert not found.is_negative


def test_differences_are_paired_by_seed():
    base = {0: 0.1, 1: 0.5, 2: 0.9}
    ours = {2: 1.0, 1: 0.61, 0: 0.2, 3: 0.0}
    found = paired_difference(ours, base)
    assert found.mean == pytest.approx(0.1 + 0.01 / 3)
    assert found.half_width < 0.02
    assert found.is_positive
    assert paired_difference(ours, {7: 0.5}) is None
