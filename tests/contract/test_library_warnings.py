"""Warnings of diffusers and transformers in the log."""

import json
import shutil

import pytest
from diffusers.utils import logging as of_diffusers

from chatgenimage.workers.weights import library_warnings
from chatgenimage.workers.weights.library_warnings import route_library_warnings
from tests.contract.test_published_layouts import load


@pytest.fixture(autouse=True)
def _new_handlers():
    of_diffusers.get_logger("diffusers").handlers.clear()
    route_library_warnings()


def said_in(caplog):
    """Return what went into the log; pytest also catches what the libraries keep to themselves."""
    return [
        f"{record.levelname} {record.getMessage()}"
        for record in caplog.records
        if record.name == library_warnings.__name__
    ]


def test_a_setting_that_a_library_ignores_is_in_the_log_once(tiny_folder, tmp_path, caplog):
    folder = shutil.copytree(tiny_folder / "stable_diffusion", tmp_path / "mine")
    file = folder / "vae" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"clearer_pictures": True}))
    for _ in range(2):
        load("stable_diffusion", folder)
    (said,) = said_in(caplog)
    assert said.startswith("WARNING diffusers.configuration_utils: The config attributes {'clearer")


def test_a_line_of_a_library_warns_once_and_harmless_warnings_are_left_out(caplog):
    logger = of_diffusers.get_logger("diffusers.somewhere")
    for text in ("the end of\nthe prompt was cut", "cut again", "it cannot run with `cpu` device"):
        logger.warning(text)
    logger.warning("a Pipeline with dtype float16 cannot run with `cpu` device.")
    logger.info("nothing to worry about")
    assert said_in(caplog) == ["WARNING diffusers.somewhere: the end of the prompt was cut"]


def test_a_usual_pipeline_warns_of_nothing(tiny_folder, caplog):
    for checkpoint in ("stable_diffusion", "stable_diffusion_xl"):
        load("stable_diffusion", tiny_folder / checkpoint).generate(["a dog, a forest " * 9], [1])
    assert said_in(caplog) == []
