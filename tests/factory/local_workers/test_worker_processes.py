"""Worker processes that a command starts: one may end, all stop with the command."""

import socket
import time

import psutil
import pytest

from chatgenimage.factory.errors import WorkerDied
from chatgenimage.factory.local_workers.worker_plan import WorkerPlan
from chatgenimage.factory.local_workers.worker_processes import MOST_RESTARTS, WorkerProcesses
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
    settings = load_settings("micro", data_dir=tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # refuses connections, and no other program gets the port
        broker = f"redis://127.0.0.1:{taken.getsockname()[1]}/0"
        yield WorkerProcesses(settings, environment_for_child(settings, "micro", broker), plan)


def children():
    """Return the worker processes that are alive."""
    return [one for one in psutil.Process().children() if "--until-stdin-closes" in words_of(one)]


def words_of(process):
    """Return the words of a process' command, or none if it has ended."""
    try:
        return process.cmdline()
    except psutil.Error:  # also of one that has just become a zombie
        return []


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


def test_they_can_be_asked_to_stop_before_the_end_of_the_block_waits(waiting, tmp_path):
    with waiting as workers:
        while not all((tmp_path / name).exists() for name in ("worker.log", "worker-2.log")):
            time.sleep(0.1)
        workers.begin_stop()
        deadline = time.monotonic() + 60
        while children():
            assert time.monotonic() < deadline
            time.sleep(0.1)


def child_of(role):
    [found] = [each for each in children() if each.cmdline()[-2] == role]
    return found


@pytest.mark.parametrize("plan", [SERVED])
def test_one_whose_roles_no_other_has_ends_the_command(waiting):
    with waiting as workers:
        assert len(children()) == 2
        child_of("diffusion,scoring").kill()
        with pytest.raises(WorkerDied, match="only worker process for diffusion,scoring ended"):
            messages_after(workers)
    assert children() == []


@pytest.mark.parametrize("plan", [SERVED])
def test_one_that_asks_servers_and_is_killed_is_started_again_a_few_times(waiting):
    with waiting as workers:
        for _ in range(MOST_RESTARTS):
            child_of("language").kill()
            [message] = messages_after(workers)
            assert message.startswith("worker process 2 of 2 ended with exit code -9: ")
            assert message.endswith("It was started again.")
        child_of("language").kill()
        with pytest.raises(WorkerDied, match="the only worker process for language ended"):
            messages_after(workers)
    assert children() == []


@pytest.mark.parametrize("plan", [WorkerPlan(("cpu",), 1, "", "diffusion", "nonsense")])
def test_one_that_asks_servers_and_ends_with_an_error_is_not_started_again(waiting):
    ended = "worker process for nonsense ended with exit code 2"
    with waiting as workers, pytest.raises(WorkerDied, match=ended):
        messages_after(workers)
    assert children() == []
