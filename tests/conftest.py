import pytest

from tests import rows


@pytest.fixture
def place(tmp_path):
    """A migrated database and an empty image store in a temporary folder."""
    return rows.open_place(tmp_path)
