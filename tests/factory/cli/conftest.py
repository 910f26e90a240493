import pytest
from typer.testing import CliRunner

from chatgenimage.factory.cli import app


@pytest.fixture
def factory(filled_place):
    """Runs a command on the filled place."""

    def run(*words):
        return CliRunner().invoke(app, [*map(str, words), "--data-dir", str(filled_place.data_dir)])

    return run
