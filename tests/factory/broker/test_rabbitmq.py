"""Tests with a real RabbitMQ; skipped if it is not installed."""

import json
import time

import pytest
import yaml
from kombu import Connection, Queue

from chatgenimage.db.states import ItemState
from chatgenimage.factory.app import make_celery
from chatgenimage.factory.broker.broker import ConfiguredBroker, count_waiting
from chatgenimage.factory.errors import BrokerUnavailable
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.settings.profiles import CONFIGS
from chatgenimage.tasks.chain import QUEUE_NAMES
from tests import external
from tests.e2e.conftest import Factory
from tests.factory.monitoring.test_flower import flower, get
from tests.factory.sleeping_runs import (
    assert_whole,
    count_items,
    is_done,
    model_child,
    sleep,
    submit_run,
    wait_for,
    worker,
)
from tests.rabbitmq import RabbitServer

pytestmark = [external.RABBITMQ.needed, pytest.mark.processes]
LOGIN = "somebody:open-sesame"


@pytest.fixture
def rabbit():
    """A server that is not started yet."""
    server = RabbitServer()
    yield server
    server.remove()


@pytest.fixture(scope="module")
def running():
    """A running server, for tests that leave it as it is."""
    server = RabbitServer()
    server.start()
    yield server
    server.remove()


@pytest.fixture
def settings(place, tmp_path):
    values = yaml.safe_load((CONFIGS / "micro.yaml").read_text(encoding="utf-8"))
    values["chain"] |= {"rounds": 0, "per_label": 4}
    values["delivery"] = {"stale_s": 1}
    profile = tmp_path / "impatient.yaml"
    profile.write_text(yaml.safe_dump(values), encoding="utf-8")
    return load_settings(profile, data_dir=place.data_dir)


def test_a_run_finishes_though_its_rabbitmq_starts_late_loses_everything_and_dies(
    place, settings, tmp_path, rabbit
):
    sleep(place, 0.3)
    run_id = submit_run(place, settings)
    with worker(settings, tmp_path, FACTORY_BROKER_URL=rabbit.url) as process:
        wait_for(lambda: "Waiting for it" in (tmp_path / "log").read_text())
        rabbit.start()
        wait_for(lambda: count_items(place, ItemState.DONE) > 2)
        with Connection(rabbit.url) as connection:
            for queue in QUEUE_NAMES:
                Queue(queue, channel=connection.default_channel).delete()
        wait_for(lambda: count_items(place, ItemState.DONE) > 8)
        model_child(process).kill()
        rabbit.kill()
        time.sleep(3)
        rabbit.start()
        wait_for(lambda: is_done(place, run_id))
    assert_whole(place)
    assert "guest:guest" not in (tmp_path / "log").read_text()


def test_a_step_may_take_longer_than_rabbitmq_waits_for_an_answer(
    place, settings, tmp_path, monkeypatch
):
    monkeypatch.setenv("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-rabbit channel_tick_interval 1000")
    rabbit = RabbitServer(consumer_timeout="3000")
    try:
        if rabbit.version < (3, 12):
            pytest.skip("this RabbitMQ has no time limits of single queues; 3.12 has")
        rabbit.start()
        sleep(place, 2)
        submit_run(place, settings, ["dog"])
        with worker(settings, tmp_path, FACTORY_BROKER_URL=rabbit.url) as process:
            wait_for(lambda: process.poll() is not None or count_items(place, ItemState.DONE) > 5)
            assert process.poll() is None, (tmp_path / "log").read_text()
    finally:
        rabbit.remove()


def test_a_worker_ends_though_its_rabbitmq_answers_nothing_any_more(
    place, settings, tmp_path, rabbit
):
    rabbit.start()
    sleep(place, 0.3)
    submit_run(place, settings)
    with worker(settings, tmp_path, FACTORY_BROKER_URL=rabbit.url) as process:
        wait_for(lambda: count_items(place, ItemState.DONE) > 2)
        rabbit.freeze()
        try:
            process.terminate()
            assert process.wait(90) == 0  # each of about ten answers would be waited for 30 s
        finally:
            rabbit.thaw()
    assert "broker_silent_at_shutdown" in (tmp_path / "log").read_text()


def test_the_main_job_runs_and_flower_shows_it(tmp_path, running, monkeypatch):
    monkeypatch.setenv("FACTORY_BROKER_URL", running.url)
    factory = Factory(tmp_path / "data")
    factory.data_dir.mkdir()
    with flower(factory.data_dir, FACTORY_FLOWER_BASIC_AUTH=LOGIN) as (_, url):
        result = factory.call_json("run", "house", "--per-label", "2", "--seed", "7")
        assert sum(result["accepted"].values()) > 0
        wait_for(lambda: {"brainstorm", "fill", "filter"} <= names_of_tasks(url))
        assert all(get(f"{url}/{page}", LOGIN)[0] == 200 for page in ("tasks", "workers", "broker"))
    app = make_celery(load_settings("micro", data_dir=factory.data_dir), running.url)
    assert count_waiting(app, QUEUE_NAMES) == dict.fromkeys(QUEUE_NAMES, 0)
    app.pool.force_close_all()  # type: ignore[attr-defined]  # a stub lacks it


def names_of_tasks(url):
    return {task["name"] for task in json.loads(get(f"{url}/api/tasks", LOGIN)[1]).values()}


def test_a_wrong_password_is_reported_but_not_shown(running):
    with pytest.raises(BrokerUnavailable, match=r"guest:\*\*\*@.*ACCESS_REFUSED") as caught:
        ConfiguredBroker(running.url.replace("guest@", "hush@")).ensure()
    assert "hush" not in str(caught.value)
