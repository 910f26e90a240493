"""Secrets of addresses and private files: searched for in everything that a real run leaves."""

import json
import os
import subprocess
import sys

from chatgenimage.factory.settings.model import load_settings
from tests.loopback import Loopback, fails

SECRETS = ("hushUser", "hushKey", "hushDatabase", "hushBroker", "hushOption")
OUTPUTS = (
    ("migrate",),
    ("status", "1"),
    ("status", "1", "--json"),
    ("watch", "1"),
    ("query", "--format", "json"),
    ("doctor",),
    ("doctor", "--json"),
    ("resume", "1"),
    ("retry", "1"),
    ("report", "1", "--out", "report.html"),
    ("export", "coco", "--out", "dataset", "--verdict", "any"),
)


def profile_with_secrets(tmp_path, url):
    """Write a profile whose language model has a secret wherever an address can hold one."""
    text = load_settings("micro").model_dump(mode="json", exclude={"data_dir"})
    scheme, rest = url.split("://")
    text["families"]["language"] = {
        "family": "openai",
        "model": "m",
        "base_url": f"{scheme}://hushUser:hushUser2@{rest}?api-key=hushKey",
        "max_retries": 0,
    }
    path = tmp_path / "secret.yaml"
    path.write_text(json.dumps({key: text[key] for key in ("families", "roles", "chain")}))
    return path


def call(tmp_path, *words, **environment):
    done = subprocess.run(
        [sys.executable, "-m", "chatgenimage", *words],
        cwd=tmp_path,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.stdout + done.stderr


def everything_in(folder):
    """Return the content of every file below a folder, as text."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_no_output_and_no_file_of_a_run_holds_a_secret_of_an_address(tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with Loopback(fails(401, "no such user hushKey")) as server:
        profile = profile_with_secrets(tmp_path, server.url)
        data = tmp_path / "data"
        url = f"sqlite:///{data}/factory.sqlite3?timeout=60&hush=hushOption"
        places = {
            "FACTORY_PROFILE": str(profile),
            "FACTORY_DATA_DIR": str(data),
            "FACTORY_DATABASE_URL": url,
        }
        outputs = [call(tmp_path, "run", "dog", "--per-label", "1", **places)]
        outputs += [call(tmp_path, *words, **places) for words in OUTPUTS]
    assert server.requests  # the address worked
    profile.unlink()
    for output in outputs:
        assert not [secret for secret in SECRETS if secret in output], output
    for path, content in everything_in(tmp_path).items():
        assert not [secret for secret in SECRETS if secret.encode() in content], path
