"""Resources that a machine has for worker processes, read from files that a test writes."""

import os

import pytest

from chatgenimage.factory.local_workers.machine import count_cores, count_gpus, free_memory_bytes

INFO = "MemTotal:       24000000 kB\nMemFree:         1000000 kB\nMemAvailable:   16000000 kB\n"


def test_a_container_s_share_of_the_cores_counts(tmp_path):
    assert count_cores(tmp_path) == len(os.sched_getaffinity(0))
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    assert count_cores(tmp_path) == 1
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    assert count_cores(tmp_path) == 1
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert count_cores(tmp_path) == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("limit", "anonymous", "expected"),
    [
        ("max", 5, 16_000_000 * 1024),
        (str(4_000_000_000), 1_000_000_000, 3_000_000_000),
        (str(4_000_000_000), 5_000_000_000, 0),
    ],
)
def test_a_container_s_share_of_the_memory_counts(tmp_path, limit, anonymous, expected):
    info = tmp_path / "meminfo"
    info.write_text(INFO)
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.stat").write_text(f"file 9\nanon {anonymous}\n")
    assert free_memory_bytes(info, tmp_path) == expected


def test_memory_that_no_file_names_is_not_known(tmp_path):
    assert free_memory_bytes(tmp_path / "none", tmp_path) is None


def test_a_processor_is_no_gpu_and_one_named_gpu_is_one(tmp_path):
    (tmp_path / "nvidia0").touch()
    assert count_gpus("cpu", tmp_path) == 0
    assert count_gpus("cuda:1", tmp_path) == 1
