"""A real HTTP server on loopback that answers like an OpenAI-compatible endpoint, as scripted."""

import base64
import contextlib
import email
import json
import platform
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from chatgenimage.workers.server_config import OpenAiConfig

KEY = "sk-very-hidden"

platform.processor()
"""OpenAI's client asks for it once in a process, and Python starts `uname` to answer."""


@dataclass(frozen=True)
class Reply:
    """An answer; with `blanks`, that number of line breaks comes before it, one each 0.1 s."""

    body: bytes
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    blanks: int = 0


def says(text, *, finish_reason="stop", refusal=None):
    completion = {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "loopback-1",
        "choices": [
            {
                "index": 0,
                "finish_reason": finish_reason,
                "message": {"role": "assistant", "content": text, "refusal": refusal},
            }
        ],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
    }
    return Reply(json.dumps(completion).encode())


def lists(*models):
    """Return the answer to /v1/models."""
    data = [{"id": m, "object": "model", "created": 1, "owned_by": "me"} for m in models]
    return Reply(json.dumps({"object": "list", "data": data}).encode())


def fails(status, message="no", **headers):
    body = json.dumps({"error": {"message": message, "type": "error"}}).encode()
    return Reply(body, status, headers={"retry-after-ms": "1", **headers})


def paints(*images, **body):
    """Return the answer to a request for images: PNG files, or addresses as text."""
    data = [
        {"url": image} if isinstance(image, str) else {"b64_json": base64.b64encode(image).decode()}
        for image in images
    ]
    return Reply(json.dumps({"created": 1, "data": data, **body}).encode())


def body_of(content_type, content):
    """Return what was posted: JSON, or the parts of a form by name, files as bytes."""
    if content_type.startswith("application/json"):
        return json.loads(content)
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    parts = email.message_from_bytes(head + content).get_payload()
    return {
        part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
        if part.get_filename()
        else part.get_payload(decode=True).decode()
        for part in parts
    }


class Server(ThreadingHTTPServer):
    """A server at which many clients may wait for their connection: the sixth waits no second."""

    request_queue_size = 128


class Loopback:
    """Serves its replies in order, the last one for ever; remembers what it was asked.

    A request is the body that was posted, or the path that was got.
    """

    def __init__(self, *replies):
        self.replies = list(replies)
        self.requests = []
        self.paths = []
        self.authorizations = []
        self._lock = threading.Lock()
        self._server = Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def config(self, **changes):
        return self.config_of(self.url, **changes)

    @staticmethod
    def config_of(url, **changes):
        settings = {"model": "asked", "base_url": url, "api_key": KEY, "timeout_s": 60}
        return OpenAiConfig(**{**settings, "max_retries": 2, **changes})

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _next(self, request):
        with self._lock:
            self.requests.append(request)
            reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return reply(request) if callable(reply) else reply

    def _handler(self):
        loopback = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self._answer(self.path)

            def do_POST(self):
                length = int(self.headers["Content-Length"])
                self._answer(body_of(self.headers["Content-Type"], self.rfile.read(length)))

            def _answer(self, request):
                loopback.paths.append(self.path)
                loopback.authorizations.append(self.headers["Authorization"])
                reply = loopback._next(request)
                self.send_response(reply.status)
                self.send_header("Content-Type", reply.content_type)
                self.send_header("Content-Length", str(reply.blanks + len(reply.body)))
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(ConnectionError):  # the client may leave
                    for _ in range(reply.blanks):
                        time.sleep(0.1)
                        self.wfile.write(b"\n")
                    self.wfile.write(reply.body)

            def log_message(self, *_):
                pass

        return Handler
