"""Limit of the requests that a server gets at the same time."""

import threading
import time

import pytest
from structlog.testing import capture_logs

from chatgenimage.workers.errors import EndpointUnavailable
from chatgenimage.workers.llm.openai import OpenAiLanguageModel
from chatgenimage.workers.llm.request_slots import RequestSlots
from tests.loopback import Loopback, fails, says

WAIT_S = 60
GOOD = says('{"features": ["golden fur", "floppy ears"]}')


def test_no_more_hold_a_slot_than_there_are():
    slots, peak, now = RequestSlots(3), 0, []
    three_at_once = threading.Barrier(3, timeout=WAIT_S)

    def work():
        nonlocal peak
        with slots.take():
            now.append(1)
            peak = max(peak, len(now))
            three_at_once.wait()
            now.pop()

    threads = [threading.Thread(target=work) for _ in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert peak == 3
    assert slots.room == 3


def test_as_many_requests_may_wait_as_there_are_slots():
    slots, rooms, leave = RequestSlots(2), [], threading.Event()

    def work():
        with slots.take():
            leave.wait(WAIT_S)

    threads = [threading.Thread(target=work) for _ in range(5)]
    for number, thread in enumerate(threads, start=1):
        thread.start()
        deadline = time.monotonic() + WAIT_S
        while slots.brought < number and time.monotonic() < deadline:
            time.sleep(0.001)
        rooms.append(slots.room)
    leave.set()
    for thread in threads:
        thread.join()
    assert rooms == [2, 2, 1, 0, -1]
    assert slots.room == 2


def test_requests_that_were_refused_together_halve_the_limit_once():
    slots = RequestSlots(8)
    asked_at = time.monotonic()
    for _ in range(8):
        slots.lower_limit(asked_at)
    assert slots.limit == 4
    slots.lower_limit(time.monotonic())
    assert slots.limit == 2


def test_the_limit_never_falls_below_one_and_rises_with_the_answers():
    slots = RequestSlots(4)
    for _ in range(9):
        slots.lower_limit(time.monotonic())
    assert slots.limit == 1
    limits = []
    for _ in range(7):
        slots.raise_limit()
        limits.append(slots.limit)
    assert limits == [2, 2, 3, 3, 3, 4, 4]


def test_a_limit_that_stays_is_not_logged():
    slots = RequestSlots(2)
    with capture_logs() as logs:
        for _ in range(3):
            slots.lower_limit(time.monotonic())
    assert [line["max_concurrency"] for line in logs] == [1]


@pytest.mark.parametrize("status", [429, 503])
def test_an_overloaded_server_gets_fewer_requests_and_more_once_it_answers(status):
    with Loopback(fails(status), GOOD) as server:
        model = OpenAiLanguageModel.load(server.config(max_concurrency=2))
        model.describe_features("dog", seed=1)
        assert model.concurrency == 2  # lowered to 1, then raised by the answer
        server.replies = [fails(status)]
        with pytest.raises(EndpointUnavailable):
            model.describe_features("dog", seed=2)
        assert model.concurrency == 1


def test_a_rate_limit_in_the_body_of_a_200_counts_too():
    busy = says("").body.replace(b'"choices"', b'"error": {"message": "slow", "code": 429}, "x"')
    with Loopback(type(GOOD)(busy)) as server:
        model = OpenAiLanguageModel.load(server.config(max_concurrency=4))
        with pytest.raises(EndpointUnavailable):
            model.describe_features("dog", seed=1)
    assert model.concurrency == 2


def test_a_server_that_does_not_answer_in_time_counts_as_overloaded():
    given_up = threading.Event()

    def wait(_request):
        given_up.wait(WAIT_S)
        return GOOD

    with Loopback(wait) as server:
        config = server.config(max_concurrency=8, timeout_s=0.1, max_retries=0)
        model = OpenAiLanguageModel.load(config)
        with pytest.raises(EndpointUnavailable):
            model.describe_features("dog", seed=1)
        given_up.set()
    assert model.concurrency == 4
