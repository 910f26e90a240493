"""Remote control of a real worker: what others may ask of it through the broker."""

import pytest
from celery.worker.control import Panel

from chatgenimage.factory.app import make_celery
from chatgenimage.factory.broker.embedded_redis import EmbeddedBroker
from chatgenimage.factory.processes.remote_control import ANSWERED, REFUSAL, Commands
from tests.factory.sleeping_runs import (
    assert_whole,
    is_done,
    sleep,
    submit_run,
    wait_for,
    worker,
)

pytestmark = pytest.mark.processes

QUEUE = "language"
COMMANDS = {
    "shutdown": {},
    "pool_shrink": {"n": 1},
    "pool_grow": {"n": 1},
    "pool_restart": {},
    "autoscale": {"max": 0, "min": 0},
    "rate_limit": {"task_name": "brainstorm", "rate_limit": "1/h"},
    "time_limit": {"task_name": "brainstorm", "hard": 1, "soft": 1},
    "revoke": {"task_id": "x", "terminate": True},
    "terminate": {"task_id": "x", "signal": "KILL"},
    "hello": {"from_node": "x", "revoked": {"x": 1.0}},
    "add_consumer": {"queue": "other"},
    "cancel_consumer": {"queue": QUEUE},
    "disable_events": {},
    "conf": {"with_defaults": True},
    "no_such_command": {},
}


@pytest.fixture
def controlled(place, settings, tmp_path):
    """A function that sends a command to a real worker and returns its answer; its process."""
    sleep(place, 0.05)
    with worker(settings, tmp_path) as process:
        app = make_celery(settings, EmbeddedBroker(settings.data_dir).url)

        def send(name, arguments=()):
            answers = []

            def is_answered():
                nonlocal answers
                answers = app.control.broadcast(
                    name, arguments=dict(arguments), reply=True, timeout=5, limit=1
                )
                return answers

            wait_for(is_answered)
            return next(iter(answers[0].values()))

        wait_for(lambda: "worker_ready" in (tmp_path / "log").read_text())
        yield send, process
        app.connection_for_write().close()


def test_a_worker_refuses_commands_and_answers_what_flower_asks(place, settings, controlled):
    ask, process = controlled
    for name, arguments in COMMANDS.items():
        assert ask(name, arguments) == {"error": REFUSAL}, name
    assert ask("ping") == {"ok": "pong"}
    assert {queue["name"] for queue in ask("active_queues")} >= {QUEUE}
    assert ask("revoked") == []
    assert ask("stats")["pool"]["max-concurrency"] == 1
    run_id = submit_run(place, settings)
    wait_for(lambda: is_done(place, run_id) or process.poll() is not None)
    assert process.poll() is None
    assert_whole(place)


def test_every_command_of_this_celery_is_answered_or_refused():
    commands = Commands({name: Panel.data[name] for name in ANSWERED})
    for name in Panel.data.keys() - ANSWERED:
        assert commands[name](None) == {"error": REFUSAL}
