import numpy as np
import pytest

from training import softened
from training.dataset import Dataset
from training.softened import DIFFUSED, ROUND_TRIPS, Softener

SCENES, FAVOURED = 40, 10


@pytest.fixture
def dataset():
    images = np.full((SCENES, 64, 64, 3), 255, np.uint8)
    nothing = np.zeros(SCENES)
    return Dataset(images, images, *[nothing] * 6)


def test_rows_differ_and_the_first_scenes_come_more_often(dataset, tmp_path):
    softener = Softener(tmp_path, FAVOURED)
    drawn = [softener.draw_rows(dataset, 10) for _ in range(50)]
    assert all((np.diff(rows) > 0).all() and rows.max() < SCENES for rows in drawn)
    assert np.mean(np.concatenate(drawn) < FAVOURED) == pytest.approx(softened.FAVOURED_SHARE)


@pytest.mark.parametrize("name", [ROUND_TRIPS, DIFFUSED])
def test_repainted_scenes_are_shown_as_soon_as_there_are_some(dataset, tmp_path, name):
    softener, rows = Softener(tmp_path, FAVOURED), np.arange(SCENES)
    assert shown_dark(softener, dataset, rows) == 0
    (tmp_path / "vae").mkdir()
    np.save(tmp_path / "vae" / name, np.zeros((2, FAVOURED, 64, 64, 3), np.uint8))
    shares = [shown_dark(softener, dataset, rows) / FAVOURED for _ in range(30)]
    assert np.mean(shares) == pytest.approx(softened.REPAINTED_SHARE, abs=0.15)


def shown_dark(softener: Softener, dataset: Dataset, rows: np.ndarray) -> int:
    """Return how many of the white scenes are returned as their black repainted versions."""
    return int((softener.soften(dataset, rows, step=0).mean((1, 2, 3)) < 0.5).sum())
