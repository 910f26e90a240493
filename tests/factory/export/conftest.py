"""Fixtures of the tests of exports."""

import pytest


@pytest.fixture
def out(tmp_path):
    return tmp_path / "exports" / "dataset"


@pytest.fixture
def load_dataset(tmp_path):
    """Returns Hugging Face's loader with its own cache."""
    import datasets

    datasets.disable_progress_bars()

    def load(folder, **options):
        return datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"), **options)

    return load
