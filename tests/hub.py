"""A server on loopback that speaks the hub's endpoints over a folder, and can break off."""

import json
import re
from collections import Counter
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY = "owner/name"


class Hub:
    """One repository of one commit.

    Attributes:
        url: What HF_ENDPOINT must be.
        asked: How often each file's content was asked for.
        ranges: The ranges that were asked for, in order.
        break_off: Files whose connection breaks in the middle, once.
        hold: Files whose second half is held back for good.
        is_held: Set once a file is held back.
    """

    def __init__(self, folder):
        self.files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        self.asked = Counter()
        self.ranges = []
        self.break_off = set()
        self.hold = set()
        self.is_held = Event()
        self.release = Event()
        self.url = ""

    def describe(self):
        siblings = [{"rfilename": name} for name in self.files]
        return {"id": REPOSITORY, "sha": COMMIT, "private": False, "tags": [], "siblings": siblings}

    def tree(self):
        return [
            {"type": "file", "path": name, "size": len(content), "oid": f"{index:040x}"}
            for index, (name, content) in enumerate(self.files.items())
        ]


@contextmanager
def serve(folder):
    """Yield the hub that serves a folder's files."""
    hub = Hub(folder)
    handler = type("Handler", (_Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        hub.url = f"http://127.0.0.1:{server.server_port}"
        yield hub
        hub.release.set()
        server.shutdown()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_HEAD(self):
        self._answer(is_head=True)

    def do_GET(self):
        self._answer(is_head=False)

    def _answer(self, *, is_head):
        path = unquote(urlsplit(self.path).path)
        if re.fullmatch(rf"/api/models/{REPOSITORY}(/revision/\w+)?", path):
            self._send_json(self.hub.describe())
        elif path.startswith(f"/api/models/{REPOSITORY}/tree/"):
            self._send_json(self.hub.tree())
        elif found := re.fullmatch(rf"/{REPOSITORY}/resolve/(main|{COMMIT})/(.+)", path):
            self._send_file(found[2], is_head=is_head)
        else:
            self.send_error(404)

    def _send_json(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _send_file(self, name, *, is_head):
        if name not in self.hub.files:
            self.send_error(404)
            return
        content, start = self.hub.files[name], 0
        if found := re.match(r"bytes=(\d+)-", self.headers.get("Range", "")):
            self.hub.ranges.append((name, start := int(found[1])))
        self.send_response(206 if start else 200)
        if start:
            last = len(content) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("ETag", f'"{list(self.hub.files).index(name):040x}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        if is_head:
            return
        self.hub.asked[name] += 1
        middle = (start + len(content)) // 2
        self.wfile.write(content[start:middle])
        self.wfile.flush()
        if name in self.hub.break_off:
            self.hub.break_off.remove(name)
            self.close_connection = True
            self.connection.close()
            return
        if name in self.hub.hold:
            self.hub.is_held.set()
            self.hub.release.wait()
        self.wfile.write(content[middle:])

    def handle(self):
        with suppress(OSError, ValueError):  # the client went away, or we did
            super().handle()

    def finish(self):
        with suppress(OSError, ValueError):
            super().finish()

    def log_message(self, *arguments):
        pass
