"""Clients that send slowly, or half of a request, leave room for others."""

import socket
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, suppress
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from chatgenimage.factory.gallery import connections
from tests.gallery.conftest import served

TOKEN = SecretStr("a token that nobody guesses")
HALF = b"GET /runs HTTP/1.1\r\nHost: box.example\r\n"
HALF_BODY = b"POST / HTTP/1.1\r\nHost: box.example\r\nContent-Length: 99\r\n\r\ntoken="
WHOLE = HALF + b"\r\n"
WAIT_S = 60
TIGHT_S = 0.5


@pytest.fixture
def address(family):
    with served(family.data_dir, TOKEN) as found:
        yield found


@pytest.fixture
def tight(family):
    with served(family.data_dir, TOKEN, request_s=TIGHT_S) as found:
        yield found


def connect(address):
    parts = urlsplit(address)
    return socket.create_connection((parts.hostname, parts.port), timeout=WAIT_S)


def status_of(address):
    try:
        return urllib.request.urlopen(f"{address}/runs", timeout=WAIT_S).status  # noqa: S310  # ours
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize("half", [HALF, HALF_BODY, WHOLE], ids=["head", "body", "idle"])
def test_many_half_sent_requests_leave_room_for_a_person(address, half):
    with ExitStack() as sockets:
        for _ in range(connections.MOST_CONNECTIONS + 54):
            sockets.enter_context(connect(address)).sendall(half)
        started = time.monotonic()
        assert status_of(address) == 401
        assert time.monotonic() - started < connections.REQUEST_S


@pytest.mark.parametrize("half", [b"", HALF, HALF_BODY], ids=["nothing", "head", "body"])
def test_a_request_that_does_not_end_is_closed(tight, half):
    with connect(tight) as client:
        client.sendall(half)
        started = time.monotonic()
        assert read_all(client) == b""
        assert time.monotonic() - started < WAIT_S / 2


def test_sending_a_little_now_and_then_does_not_help(tight):
    with connect(tight) as client:
        started = time.monotonic()
        with suppress(OSError):
            for byte in HALF * 10:
                client.sendall(bytes([byte]))
                time.sleep(TIGHT_S / 5)
        assert time.monotonic() - started < TIGHT_S * len(HALF)


def test_the_second_request_of_a_connection_has_the_same_limit(tight):
    with connect_and_ask(tight) as client:
        client.sendall(HALF)
        read_all(client)


def test_a_whole_request_is_answered_however_long_the_page_takes(family):
    late = {"request_s": TIGHT_S, "answer_after_s": 3 * TIGHT_S}
    with served(family.data_dir, TOKEN, **late) as address:
        connect_and_ask(address).close()


def test_a_new_client_is_not_closed_while_all_others_are_being_answered(family):
    with served(family.data_dir, TOKEN, answer_after_s=1) as address, ExitStack() as sockets:
        for _ in range(connections.MOST_CONNECTIONS):
            sockets.enter_context(connect(address)).sendall(WHOLE)
        assert status_of(address) == 401


def connect_and_ask(address):
    """Return a connection whose first request was answered; a busy client may send it too late."""
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        client = connect(address)
        with suppress(ConnectionError):
            client.sendall(WHOLE)
            if b" 401 " in client.recv(4096):
                return client
        client.close()
    raise AssertionError("no request was answered")


def read_all(client):
    """Return what is sent until the connection is closed."""
    content = b""
    try:
        while part := client.recv(4096):
            content += part
    except ConnectionResetError:
        pass
    return content
