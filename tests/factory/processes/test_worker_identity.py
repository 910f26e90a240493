import os
import subprocess
import sys

import pytest

from chatgenimage.factory.processes import worker_identity
from chatgenimage.factory.processes.worker_identity import is_dead, is_mine, name_owner


def owner_of(pid):
    """Return the name of a worker with this pid."""
    return name_owner("all", is_child=False).replace(f"#{os.getpid()}", f"#{pid}")


@pytest.mark.processes
def test_a_worker_is_dead_when_its_process_ended_even_as_a_zombie():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert not is_dead(owner_of(process.pid))
    assert not is_dead(owner_of(f"1/{process.pid}"))
    process.kill()
    os.waitid(
        os.P_PID, process.pid, os.WEXITED | os.WNOWAIT
    )  # a zombie until its parent waits for it
    assert is_dead(owner_of(process.pid))
    process.communicate()
    assert is_dead(owner_of(process.pid))
    assert is_dead(owner_of(f"{os.getpid()}/{process.pid}"))  # a dead child of a live parent


def test_workers_of_other_hosts_and_unknown_names_do_not_count_as_dead():
    gone = 2**22 + 1  # larger than any pid
    assert is_dead(owner_of(gone))
    assert not is_dead(f"all@another-machine#{gone}")
    assert not is_dead("bench")


def test_a_worker_knows_its_own_name_and_those_of_its_children():
    assert is_mine(name_owner("all", is_child=False))
    assert is_mine(owner_of(f"{os.getpid()}/77"))
    assert not is_mine(name_owner("all", is_child=True))
    assert not is_mine(f"all@another-machine#{os.getpid()}")


def test_a_clone_of_this_machine_is_another_machine_though_all_its_names_are_equal(
    monkeypatch, tmp_path
):
    mine = name_owner("all", is_child=False)
    boot_id = tmp_path / "boot_id"
    boot_id.write_text("01234567-89ab-cdef-0123-456789abcdef\n")
    monkeypatch.setattr(worker_identity, "BOOT_ID", boot_id)
    worker_identity.machine_name.cache_clear()
    try:
        assert name_owner("all", is_child=False) != mine
        gone = mine.replace(f"#{os.getpid()}", f"#{2**22 + 1}")
        assert not is_dead(gone)
        assert not is_mine(mine)
    finally:
        worker_identity.machine_name.cache_clear()


def test_a_name_fits_its_column():
    assert len(f"{name_owner('language,diffusion,editing,labeling,scoring', is_child=True)}") < 200
