"""Number of worker processes, by what the machine has and the run needs."""

import pytest

from chatgenimage.factory.cli.common import parse_workers
from chatgenimage.factory.errors import SettingsError
from chatgenimage.factory.local_workers.machine import Machine
from chatgenimage.factory.local_workers.worker_plan import plan_workers
from chatgenimage.factory.settings.model import load_settings

GIB = 2**30


def plan(tmp_path, *, cores=4, gpus=0, gib=64, wanted=None, batches=None, **settings):
    loaded = load_settings("micro", data_dir=tmp_path, **settings)
    machine = Machine(cores, gpus, gib * GIB if gib else None)
    return plan_workers(loaded, wanted, batches=batches, machine=machine)


@pytest.mark.parametrize(
    ("has", "count", "reason"),
    [
        ({}, 4, "4 cores"),
        ({"cores": 1}, 1, "1 core"),
        ({"gib": 5}, 3, "memory for 3"),
        ({"gib": 0}, 4, "4 cores"),
        ({"gib": 1}, 1, "memory for 1"),
        ({"batches": 2}, 2, "2 batches"),
        ({"batches": 1}, 1, "1 batch"),
        ({"batches": 0}, 1, "1 batch"),
        ({"batches": 4}, 4, "4 cores"),
        ({"gpus": 1}, 1, "1 GPU"),
        ({"gpus": 2, "gib": 1}, 2, "2 GPUs"),
        ({"wanted": 3, "gpus": 1}, 3, ""),
    ],
    ids=str,
)
def test_as_many_processes_as_the_machine_and_the_run_can_use(tmp_path, has, count, reason):
    found = plan(tmp_path, **has)
    assert (found.count, found.reason) == (count, reason)


def test_the_plan_is_said_in_a_few_words(tmp_path):
    assert plan(tmp_path).describe() == "4 worker processes (4 cores)"
    assert plan(tmp_path, wanted=1).describe() == "1 worker process"


def test_each_gpu_gets_its_own_process(tmp_path):
    assert plan(tmp_path, gpus=2).devices == ("cuda:0", "cuda:1")
    assert plan(tmp_path, gpus=2, wanted=3).devices == ("cuda:0", "cuda:1", "cuda:0")
    assert plan(tmp_path, gpus=1, device="cuda:1").devices == ("cuda:1",)


@pytest.mark.parametrize(
    ("has", "threads"),
    [
        ({"cores": 16, "wanted": 4}, 4),
        ({"cores": 2, "wanted": 4}, 1),
        ({"cores": 16, "wanted": 1}, None),
        ({"cores": 16, "gpus": 2}, None),
    ],
    ids=str,
)
def test_the_processes_share_the_cores(tmp_path, has, threads):
    loaded = load_settings("lite", data_dir=tmp_path)  # names no threads
    machine = Machine(has["cores"], has.get("gpus", 0), None)
    assert plan_workers(loaded, has.get("wanted"), machine=machine).cpu_threads == threads


def test_the_threads_of_the_profile_are_kept(tmp_path):
    assert plan(tmp_path, cores=16, wanted=2, cpu_threads=3).cpu_threads == 3


def test_the_number_is_auto_or_at_least_one():
    assert parse_workers("auto") is None
    assert parse_workers("2") == 2
    for wrong in ("0", "-1", "two", "257", ""):
        with pytest.raises(SettingsError, match="--workers must be auto or a number from 1"):
            parse_workers(wrong)


SERVER = {"family": "openai", "model": "m", "base_url": "http://127.0.0.1:9/v1"}
SERVED = {"families": {"language": SERVER}}
MODELS = "diffusion,editing,labeling,scoring"


def test_no_device_waits_for_a_server(tmp_path):
    found = plan(tmp_path, gpus=1, **SERVED)
    assert found.roles == (MODELS, "language")
    assert found.describe() == "1 worker process (1 GPU), and one that asks servers (language)"
    assert plan(tmp_path, wanted=2, **SERVED).roles == (MODELS, MODELS, "language")


def test_a_rule_book_and_roles_that_are_not_needed_get_no_process(tmp_path):
    assert plan(tmp_path, gpus=1).roles == ("all",)
    loaded = load_settings("micro", data_dir=tmp_path, **SERVED)
    assert plan_workers(loaded, 1, ["labeling", "scoring"]).roles == ("labeling,scoring",)


def test_where_all_models_are_on_servers_each_process_asks_them(tmp_path):
    loaded = load_settings("micro", data_dir=tmp_path, **SERVED)
    assert plan_workers(loaded, 2, ["language"]).roles == ("language", "language")
