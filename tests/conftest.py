import shutil

import pytest

from tests import rows


@pytest.fixture(scope="session")
def migrated(tmp_path_factory):
    """A folder with a database fresh from the migrations, which take longer than most tests."""
    folder = tmp_path_factory.mktemp("migrated")
    rows.make_database(folder)
    return folder


@pytest.fixture
def place(migrated, tmp_path):
    """A migrated database and an empty image store in a temporary folder."""
    shutil.copytree(migrated, tmp_path, dirs_exist_ok=True)
    return rows.open_place(tmp_path)
