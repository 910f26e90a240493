"""`factory run` with several worker processes: the same dataset, also if one is killed."""

import signal

import psutil
from sqlalchemy import select

from chatgenimage.db.models import Run
from tests.e2e.conftest import assert_same_dataset, interrupt, processes_in

WORDS = ("run", "dog", "house", "--per-label", "2", "--seed", "7")


def parents(process):
    """Return the worker processes of a `factory run`, without their children."""
    return [
        child
        for child in psutil.Process(process.pid).children()
        if "--until-stdin-closes" in child.cmdline()
    ]


def test_two_processes_make_the_same_dataset_as_one_though_one_is_killed(factory, undisturbed):
    undisturbed.call_json(*WORDS, "--workers", "1")
    running = factory.start(*WORDS, "--workers", "2")
    factory.wait_for_candidates(1, running)
    first, second = parents(running)
    for process in (*second.children(recursive=True), second):
        process.send_signal(signal.SIGKILL)
    assert running.wait(timeout=600) == 0
    assert first.is_running() is False
    said = factory.log.read_text()
    assert "2 worker processes\n" in said
    assert "worker process 2 of 2 ended with exit code -9" in said
    assert_same_dataset(factory, undisturbed)
    assert processes_in(factory.data_dir) == []


def test_ctrl_c_stops_every_process(factory):
    running = factory.start(*WORDS, "--rounds", "9", "--workers", "2")  # it is not soon at its end
    factory.wait_for_candidates(1, running)
    assert len(parents(running)) == 2
    assert interrupt(running) == 130
    assert processes_in(factory.data_dir) == []
    with factory.sessions() as session:
        assert session.scalars(select(Run.state)).all() == ["active"]
