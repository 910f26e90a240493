import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from pydantic import SecretStr

from chatgenimage.factory.errors import CannotListen, SettingsError
from chatgenimage.factory.gallery.serving import bind

pytestmark = pytest.mark.processes

WAIT_S = 60
EVERYWHERE = "0.0.0.0"  # noqa: S104  # on a port of its own, behind a token


def start(family, *arguments, **environment):
    """Start the command; return the process and the URL that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", "chatgenimage", "gallery", "--port", "0", "--json", *arguments],
        env=os.environ | {"FACTORY_DATA_DIR": str(family.data_dir)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    text = ""
    while not text.endswith("}\n"):
        text += (line := process.stdout.readline())
        assert line, process.stderr.read()
    return process, json.loads(text)["url"]


def status_of(url):
    """Return the status of a page once the server answers."""
    until = time.monotonic() + WAIT_S
    while True:
        try:
            return urllib.request.urlopen(url, timeout=WAIT_S).status  # noqa: S310  # ours
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            assert time.monotonic() < until
            time.sleep(0.05)


def test_ctrl_c_ends_it_quietly(family):
    process, url = start(family)
    assert url.startswith("http://127.0.0.1:")
    assert status_of(url) == 200
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=WAIT_S)
    assert (process.returncode, out.strip(), errors) == (0, "", "")


def test_for_other_machines_a_new_token_is_required(family):
    process, url = start(family, "--host", EVERYWHERE)
    try:
        page, token = url.replace(EVERYWHERE, "127.0.0.1").split("?token=")
        assert len(token) >= 32
        assert status_of(page) == 401
        assert status_of(f"{page}?token={token}") in {200, 401}  # 401: this client keeps no cookies
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=WAIT_S)


def test_the_token_may_come_from_the_environment():
    address = bind("127.0.0.1", 0, SecretStr("sixteen letters!"))
    with address.socket:
        assert address.url.endswith("/runs?token=sixteen+letters%21")


def test_a_used_port_is_reported():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=f":{port} is used by.*--port"):
            bind("127.0.0.1", port, None)


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_a_host_that_is_not_this_machine_is_refused(host):
    with pytest.raises(CannotListen, match="--host"):
        bind(host, 0, None)


def test_a_token_that_can_be_guessed_is_refused():
    with pytest.raises(SettingsError, match="at least 16"):
        bind(EVERYWHERE, 0, SecretStr("secret"))
