"""Worker processes that a command starts: one may end, all stop with the command."""

import socket
import time

import psutil
import pytest

from chatgenimage.factory.errors import WorkerDied
from chatgenimage.factory.local_workers.worker_plan import WorkerPlan
from chatgenimage.factory.local_workers.worker_processes import WorkerProcesses
from chatgenimage.factory.settings.child_environment import environment_for_child
from chatgenimage.factory.settings.model import load_settings

pytestmark = pytest.mark.processes

PLAN = WorkerPlan(("cpu", "cpu"), 1, "")
SERVED = WorkerPlan(("cpu",), 1, "", "diffusion,scoring", "language")


@pytest.fixture
def plan():
    return PLAN


@pytest.fixture
def waiting(tmp_path, plan):
    """The workers of the plan, not yet started, that wait for a broker that is not there."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    settings = load_settings("micro", data_dir=tmp_path)
    environment = environment_for_child(settings, "micro", f"redis://127.0.0.1:{port}/0")
    return WorkerProcesses(settings, environment, plan)


def children():
    started = psutil.Process().children()
    alive = [each for each in started if each.status() != psutil.STATUS_ZOMBIE]
    return [each for each in alive if "--until-stdin-closes" in each.cmdline()]


def messages_after(workers):
    deadline = time.monotonic() + 60
    while not (messages := workers.note_ended()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return messages


def test_one_that_ends_is_reported_once_and_the_others_stay(waiting):
    with waiting as workers:
        first, second = sorted(children(), key=lambda each: each.pid)
        second.kill()
        [message] = messages_after(workers)
        assert message.startswith("worker process 2 of 2 ended with exit code -9: ")
        assert "worker-2.log" in message
        assert "1 left" in message
        assert workers.note_ended() == []
        assert first.is_running()
        first.kill()
        with pytest.raises(WorkerDied, match=r"last worker process ended .*worker\.log"):
            messages_after(workers)
    assert children() == []


def test_all_stop_at_the_end_of_the_block(waiting, tmp_path):
    with waiting:
        started = children()
        assert len(started) == 2
        while not (tmp_path / "worker-2.log").read_text():
            time.sleep(0.1)
        environment = started[1].environ()
        assert (environment["FACTORY_DEVICE"], environment["FACTORY_CPU_THREADS"]) == ("cpu", "1")
        assert (tmp_path / "worker.log").stat().st_mode & 0o777 == 0o600
    assert children() == []


@pytest.mark.parametrize("plan", [SERVED])
@pytest.mark.parametrize(("number", "role"), [*enumerate(SERVED.roles)])
def test_one_whose_roles_no_other_has_ends_the_command(waiting, number, role):
    with waiting as workers:
        started = sorted(children(), key=lambda each: each.pid)
        assert [each.cmdline()[-2] for each in started] == list(SERVED.roles)
        started[number].kill()
        with pytest.raises(WorkerDied, match=f"the only worker process for {role} ended"):
            messages_after(workers)
    assert children() == []
