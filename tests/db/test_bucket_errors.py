"""Errors of an S3 server: none makes an image missing, and each is printed with its own remedy."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from chatgenimage.db.errors import ImageMissing, StorageUnavailable, StoreError
from chatgenimage.db.images import ImageStore
from chatgenimage.db.storage import Storage
from tests import s3

PIXELS = np.zeros((4, 4, 3), np.uint8)
SHA256 = "0" * 64
URL = f"s3://{s3.BUCKET}/images"


class Server(ThreadingHTTPServer):
    """Gives one answer to every request, and claims `lacking` bytes more than it sends."""

    def __init__(self, status, content, lacking):
        super().__init__(("127.0.0.1", 0), Answer)
        self.status, self.content, self.lacking = status, content, lacking


class Answer(BaseHTTPRequestHandler):
    """Sends the answer of its server."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        assert isinstance(self.server, Server)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(self.server.status)
        content = self.server.content
        self.send_header("Content-Length", str(len(content) + self.server.lacking))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        self.close_connection = True

    do_GET = do_PUT = do_HEAD = do_DELETE = answer  # noqa: N815  # names of http.server

    def log_message(self, *_args):
        """Stay silent."""


@contextmanager
def server_that_answers(status, content, lacking=0):
    with Server(status, content, lacking) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def s3_error(code, message="What the server says."):
    return f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()


def put(store):
    store.put(PIXELS, {})


def get(store):
    store.get(SHA256)


def list_files(store):
    list(store.list_files())


@pytest.mark.parametrize("act", [put, get, list_files])
@pytest.mark.parametrize(
    ("status", "code", "remedy"),
    [
        (403, "AccessDenied", "Check AWS_ACCESS_KEY_ID .* permissions"),
        (400, "ExpiredToken", "Renew AWS_SESSION_TOKEN"),
        (400, "InvalidToken", "Renew AWS_SESSION_TOKEN"),
        (403, "RequestTimeTooSkewed", "Correct the clock"),
        (400, "AuthorizationHeaderMalformed", "Set AWS_DEFAULT_REGION"),
        (404, "NoSuchBucket", "Create the bucket"),
        (507, "InsufficientStorage", "Free some space in the bucket"),
        (503, "SlowDown", "The server answers and cannot serve this now"),
        (405, "MethodNotAllowed", "Check that image_store_endpoint is an S3 server"),
    ],
)
def test_each_refusal_is_printed_with_its_reason_and_remedy(act, status, code, remedy, s3_keys):
    with server_that_answers(status, s3_error(code)) as endpoint:
        reason = rf"What the server says \({code}\)\. {remedy}"
        with pytest.raises(StorageUnavailable, match=reason) as raised:
            act(ImageStore(URL, endpoint))
    assert "Start the server" not in str(raised.value)


def test_an_image_is_missing_only_if_an_s3_server_says_so(s3_keys):
    with (
        server_that_answers(404, s3_error("NoSuchKey")) as endpoint,
        pytest.raises(ImageMissing),
    ):
        get(ImageStore(URL, endpoint))
    for content in (b"", b"<html>404 page not found</html>"):
        with (
            server_that_answers(404, content) as endpoint,
            pytest.raises(StorageUnavailable, match="Check that image_store_endpoint"),
        ):
            get(ImageStore(URL, endpoint))


def test_a_content_that_breaks_off_is_neither_damaged_nor_missing(s3_keys):
    with (
        server_that_answers(200, b"half", lacking=4) as endpoint,
        pytest.raises(StorageUnavailable, match="broke off"),
    ):
        get(ImageStore(URL, endpoint))


def test_an_answer_that_is_not_xml_is_not_an_empty_list(s3_keys):
    with (
        server_that_answers(200, b"no <xml") as endpoint,
        pytest.raises(StorageUnavailable, match="cannot list"),
    ):
        list_files(ImageStore(URL, endpoint))


def test_a_web_page_in_the_place_of_the_server_is_not_called_writable(s3_keys):
    with (
        server_that_answers(200, b"<html>console</html>") as endpoint,
        pytest.raises(StorageUnavailable, match="does not give back what was written"),
    ):
        ImageStore(URL, endpoint).check_writable()


@pytest.mark.parametrize(
    ("url", "endpoint", "remedy"),
    [
        ("s3://buck et/images", "http://127.0.0.1:9", "Create the bucket, or correct"),
        (URL, "http://", "Correct image_store_endpoint and AWS_ENDPOINT_URL"),
    ],
)
def test_a_name_that_no_server_can_have_is_one_line_with_its_remedy(url, endpoint, remedy, s3_keys):
    with pytest.raises(StorageUnavailable, match=remedy) as raised:
        put(ImageStore(url, endpoint))
    assert "\n" not in str(raised.value)


def test_a_profile_of_keys_that_does_not_exist_is_named(s3_keys, monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(StorageUnavailable, match=r"\(nobody\) .*Correct AWS_PROFILE"):
        put(ImageStore(URL, "http://127.0.0.1:9"))


@pytest.mark.parametrize(
    "url", ["s3://", "s3:///images", "s3://bucket//images", "s3:b/i", "S3://b"]
)
def test_a_url_whose_images_would_not_be_found_again_is_refused(url):
    with pytest.raises(StoreError, match="expected s3://bucket or s3://bucket/prefix"):
        Storage(url)


@pytest.mark.parametrize("url", ["s3a://bucket/images", "s3://bucket/images/"])
def test_another_spelling_of_a_url_is_the_same_place(url):
    assert Storage(url).root == "s3://bucket/images"
