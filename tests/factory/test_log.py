"""Contents of the log, and hidden secrets, in real log lines of a separate process."""

import json
import os
import subprocess
import sys

import pytest

from chatgenimage.factory.log import list_secrets
from chatgenimage.factory.settings.model import load_settings

SAY = """
import logging, structlog
from chatgenimage.factory.log import configure
from chatgenimage.factory.settings.model import load_settings
configure(load_settings("micro"))
structlog.contextvars.bind_contextvars(run_id=3, batch_id=7, step="fill")
structlog.get_logger().info("event", text={text!r})
try:
    raise RuntimeError({text!r})
except RuntimeError:
    logging.getLogger("somebody.else").exception("failed: %s", {text!r})
logging.getLogger("httpx").info("HTTP Request: POST https://example.org/hook")
"""


def say(tmp_path, text, **environment):
    """Return the log lines of a process."""
    done = subprocess.run(
        [sys.executable, "-c", SAY.format(text=text)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    return done.stderr


@pytest.fixture(autouse=True)
def _clean(monkeypatch):
    for name in ("FACTORY_LOG_FORMAT", "OPENAI_API_KEY", "REDIS_URL", "FLOWER_BASIC_AUTH"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.processes
def test_every_line_says_run_batch_and_step(tmp_path):
    lines = [json.loads(line) for line in say(tmp_path, "hello").splitlines()]
    assert [(line["run_id"], line["batch_id"], line["step"]) for line in lines] == [
        (3, 7, "fill")
    ] * 2
    assert lines[0]["text"] == "hello"
    assert "RuntimeError: hello" in lines[1]["exception"]


@pytest.mark.processes
def test_a_console_line_is_readable(tmp_path):
    first = say(tmp_path, "hello", FACTORY_LOG_FORMAT="console").splitlines()[0]
    assert not first.startswith("{")
    assert "run_id=3" in first


@pytest.mark.processes
@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("OPENAI_API_KEY", "sk-very-secret", "sk-very-secret"),
        ("FACTORY_FAMILIES__LANGUAGE__API_KEY", 'sk-"quoted"-ü', 'sk-"quoted"-ü'),
        ("FACTORY_DATABASE_URL", "postgresql+psycopg://me:pa%3Ass-word@db/x", "pa:ss-word"),
        ("REDIS_URL", "redis://:open-sesame@queue:6379/0", "open-sesame"),
        ("FACTORY_METRICS_TOKEN", "sixteen-letters!", "sixteen-letters!"),
        ("FACTORY_GALLERY_TOKEN", "open-sesame", "open-sesame"),
        ("FACTORY_NOTIFY_WEBHOOK", "https://example.org/a/b", "https://example.org/a/b"),
        ("FLOWER_BASIC_AUTH", "me:open-sesame", "open-sesame"),
    ],
)
def test_a_secret_of_the_settings_is_hidden_in_every_position(tmp_path, form, name, value, secret):
    told = say(
        tmp_path, f"refused {secret} !", FACTORY_LOG_FORMAT=form, **language(name), **{name: value}
    )
    assert told.count("refused *** !") >= 3
    assert secret not in told


def language(name):
    """Return settings of a language model that needs a key."""
    if "API_KEY" not in name:
        return {}
    start = "FACTORY_FAMILIES__LANGUAGE__"
    return {f"{start}FAMILY": "openai", f"{start}MODEL": "m"}


def test_a_url_without_a_password_is_shown():
    settings = load_settings("micro", database_url="sqlite:////somewhere/rows.sqlite3")
    assert list_secrets(settings) == []
