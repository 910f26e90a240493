"""Notifications by a webhook: a real server gets them, and its address is never logged."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sqlalchemy import select

from chatgenimage.db.models import Notification
from tests.factory.notifications.ended_runs import PATIENCE_S, end_run, let_time_pass, notifier_of


class Hook:
    """A server that answers posts with these codes, then always with the last one."""

    def __init__(self, *codes):
        hook, self.codes, self.bodies = self, list(codes), []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                length = int(self.headers["Content-Length"])
                hook.bodies.append((self.path, json.loads(self.rfile.read(length))))
                self.send_response(hook.codes.pop(0) if hook.codes[1:] else hook.codes[0])
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hooks/very-secret"
        threading.Thread(target=self.server.serve_forever).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def hook():
    opened = []

    def open_hook(*codes):
        opened.append(Hook(*codes))
        return opened[-1]

    yield open_hook
    for each in opened:
        each.close()


@pytest.mark.processes
def test_a_webhook_gets_the_same_and_channels_are_independent(place, ended, hook):
    server = hook(503, 302, 204)
    notifier = notifier_of(place, notify_command=["true"], notify_webhook=server.url)
    assert [notifier.send_next() for _ in range(3)] == [True, True, False]
    for _ in range(3):
        let_time_pass(place)
        notifier.send_next()
    assert [path for path, _ in server.bodies] == ["/hooks/very-secret"] * 3
    assert len({body["notification"] for _, body in server.bodies}) == 1
    assert server.bodies[0][1]["accepted"] == 3
    with place.sessions() as session:
        told = session.scalars(select(Notification.told_at).order_by(Notification.id)).all()
        assert None not in told


TELL = """
from chatgenimage.db.session import connect
from chatgenimage.factory.log import configure
from chatgenimage.factory.notifications.notifier import Notifier
from chatgenimage.factory.settings.model import load_settings
settings = load_settings()
configure(settings)
while Notifier(settings, connect(settings.resolved_database_url())).send_next():
    pass
"""


@pytest.mark.processes
@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("code", [204, 500, None], ids=["answers", "refuses", "absent"])
def test_the_address_of_a_webhook_is_never_logged(sqlite_place, hook, form, code):
    run_id = end_run(sqlite_place)
    server = hook(code or 204)
    if code is None:
        server.server.socket.close()
    done = subprocess.run(
        [sys.executable, "-c", TELL],
        env=os.environ
        | {
            "FACTORY_DATA_DIR": str(sqlite_place.data_dir),
            "FACTORY_NOTIFY_WEBHOOK": server.url,
            "FACTORY_LOG_FORMAT": form,
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )
    told = done.stdout + done.stderr
    assert "very-secret" not in told
    assert ("notification_sent" if code == 204 else "notification_failed") in told
    assert str(run_id) in told
    with sqlite_place.sessions() as session:
        assert "very-secret" not in str(session.scalars(select(Notification.error)).all())
