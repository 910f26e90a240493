"""Databases with a run that ended."""

import pytest

from tests.factory.notifications.ended_runs import end_run


@pytest.fixture(params=["sqlite", "postgres"])
def place(request):
    return request.getfixturevalue(f"{request.param}_place")


@pytest.fixture
def ended(place):
    """A finished run with an accepted family, a rejected candidate and a given up item."""
    return end_run(place)
