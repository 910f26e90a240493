import pytest


@pytest.fixture(params=["sqlite", "postgres"])
def place(request):
    """A migrated database of each kind, and an empty image store."""
    return request.getfixturevalue(f"{request.param}_place")
