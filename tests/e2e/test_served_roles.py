"""`factory run` with a language model on a server: a process of its own asks it."""

import itertools
import json
import os
from pathlib import Path

import pytest
import yaml

from benchmarks.asking import ROOT
from benchmarks.device import plugin
from benchmarks.sleeping import LanguageServer, profile
from tests.loopback import Loopback

ANSWER_S = 0.3
LABELS = ("dog", "house", "car")


@pytest.fixture
def sleeping(tmp_path, monkeypatch):
    """Models that sleep, for all processes."""
    site = tmp_path / "site"
    plugin.install(site)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(site)]))


@pytest.mark.usefixtures("sleeping")
def test_images_are_painted_while_the_language_model_is_asked(factory, tmp_path):
    server, path = LanguageServer(ANSWER_S), tmp_path / "profile.yaml"
    with Loopback(server) as loopback:
        settings = profile(tmp_path, loopback.url, max_concurrency=8)
        path.write_text(yaml.safe_dump(settings))
        run = ("run", *LABELS, "--per-label", "4", "--workers", "1", "--profile", str(path))
        made = factory.call_json(*run)
    assert made["accepted"] == {"imported": 0, "generated": 12, "edited": 24, "filled": 24}
    notes = Path(settings["families"]["diffusion"]["notes"]).read_text().splitlines()
    painted = [json.loads(line) for line in notes]
    assert any(
        start < answered and asked < end
        for (start, end, *_), (asked, answered) in itertools.product(painted, server.asked)
    )
    assert '"openai"' in (factory.data_dir / "worker-2.log").read_text()
    assert '"openai"' not in (factory.data_dir / "worker.log").read_text()
