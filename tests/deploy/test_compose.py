"""Guarantees of docker-compose.yml and the Dockerfile, read as Compose reads them."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from chatgenimage.factory.checkpoints.inventory import list_needs
from chatgenimage.factory.checkpoints.memory import needed_bytes, needs_of
from chatgenimage.factory.cli import app
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.settings.profiles import CONFIGS
from chatgenimage.tasks.chain import QUEUES
from tests.deploy.composed import COMPOSE, ROOT, SECRETS, read_services, read_targets

SERVERS = {"redis", "postgres", "s3", "prometheus", "grafana"}
PAGES = {"flower", "gallery", "metrics", "grafana"}
ROLES = {"language", "diffusion", "editing", "labeling", "scoring"}
CARD_BYTES = 24 << 30
DRIVER_BYTES = 500_000_000
"""What the driver takes for each process, about."""
ONE_SHOTS = {"migrate", "submit", "factory"}


@pytest.fixture(scope="module")
def services():
    services = read_services()
    assert services.keys() > SERVERS
    return services


@pytest.fixture(scope="module")
def on_gpus():
    return read_services("docker-compose.yml", "docker-compose.gpu.yml")


def test_every_role_and_queue_has_its_worker_and_every_target_is_there(services):
    assert set(QUEUES.values()) == ROLES
    targets = read_targets()
    for name, service in services.items():
        if name not in SERVERS:
            assert service["build"]["target"] == name
            assert targets[name].entrypoint
    assert {targets[role].command[1] for role in ROLES} == ROLES


def test_only_loopback_ports_are_published_and_servers_have_no_internet(services):
    for name, service in services.items():
        published = service.get("ports", [])
        assert all(port["host_ip"] == "127.0.0.1" for port in published), name
        assert bool(published) == (name in PAGES)
        assert service.get("network_mode") is None
        if name in SERVERS - PAGES:
            assert list(service["networks"]) == ["inside"]


def test_no_container_has_more_rights_than_it_needs(services):
    targets = read_targets()
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert not service.get("privileged")
        assert service.get("read_only") or name == "postgres"
        assert int(service["deploy"]["resources"]["limits"]["memory"]) > 0
        assert name in SERVERS or targets[name].user == "10001"


def test_relative_paths_stay_in_the_volume(services):
    targets = read_targets()
    for name, service in services.items():
        if name not in SERVERS:
            (volume,) = service["volumes"]
            assert targets[name].folder == volume["target"], name
            assert targets[name].environment["FACTORY_DATA_DIR"] == volume["target"]


def test_long_running_services_restart_and_have_health_checks(services):
    targets = read_targets()
    for name, service in services.items():
        lasting = name not in ONE_SHOTS
        assert (service["restart"] == "unless-stopped") == lasting
        health = service.get("healthcheck") or (name not in SERVERS and targets[name].health)
        assert bool(health) == lasting, name
        assert service["stop_grace_period"], name
        assert service["init"] == (name != "postgres")  # which gets the stop signal itself
    # An endless one never reports its error.
    assert services["migrate"]["restart"] == "on-failure:5"


def test_all_services_wait_for_the_newest_schema(services):
    for name, service in services.items():
        if name not in SERVERS | {"migrate"}:
            waits_for = {on: how["condition"] for on, how in service["depends_on"].items()}
            assert waits_for["migrate"] == "service_completed_successfully"


@pytest.mark.parametrize("secret", [name for name in SECRETS if name != "OPENAI_API_KEY"])
def test_a_missing_secret_is_an_error(secret):
    with pytest.raises(AssertionError, match=f"required variable {secret} is missing"):
        read_services(secrets={**SECRETS, secret: ""})


def test_a_secret_reaches_only_services_that_need_it(services):
    def who_knows(secret):
        return {name for name in services if secret in str(services[name])}

    workers = ROLES | {"migrate", "dispatcher", "submit", "factory", "gallery"}
    assert who_knows(SECRETS["POSTGRES_PASSWORD"]) == workers | {"postgres", "metrics"}
    assert who_knows(SECRETS["REDIS_PASSWORD"]) == workers | {"redis", "flower"}
    assert who_knows(SECRETS["S3_SECRET_KEY"]) == workers | {"s3"}
    assert who_knows(SECRETS["OPENAI_API_KEY"]) == ROLES
    assert who_knows(SECRETS["FLOWER_BASIC_AUTH"]) == {"flower"}
    assert who_knows(SECRETS["GALLERY_TOKEN"]) == {"gallery"}
    assert who_knows(SECRETS["METRICS_TOKEN"]) == {"metrics", "prometheus"}
    assert who_knows(SECRETS["GRAFANA_PASSWORD"]) == {"grafana"}


def test_monitoring_runs_only_if_it_is_asked_for():
    assert not {"metrics", "prometheus", "grafana"} & set(read_services(tools=False))


def test_mounted_files_exist(services):
    mounted = [
        Path(volume["source"])
        for service in services.values()
        for volume in service.get("volumes", [])
        if volume["type"] == "bind"
    ]
    assert len(mounted) == 5
    assert all(path.is_file() for path in mounted)


def test_the_example_names_every_variable_and_holds_no_secret(services):
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    given = dict(line.lstrip("#").split("=", 1) for line in text.splitlines() if "=" in line)
    asked = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("docker-compose*.yml"))
    for variable in {name.split("}")[0].split(":")[0] for name in asked.split("${")[1:]}:
        assert variable in given
    assert all(given[name] == "" for name in SECRETS if name != "S3_ACCESS_KEY")


def test_each_model_role_gets_a_card_and_together_they_fit_one(on_gpus, services):
    shares = 0.0
    needs = list_needs(load_settings("sd15", device="cuda"))
    for role in ROLES - {"language"}:
        (device,) = on_gpus[role]["deploy"]["resources"]["reservations"]["devices"]
        assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
        assert on_gpus[role]["environment"]["FACTORY_DEVICE"] == "cuda"
        share = float(on_gpus[role]["environment"]["FACTORY_DEVICE_MEMORY_SHARE"])
        assert needed_bytes(needs_of(needs, [role])) < share * CARD_BYTES
        shares += share
        assert "reservations" not in services[role]["deploy"]["resources"]
    assert shares * CARD_BYTES <= CARD_BYTES - len(ROLES - {"language"}) * DRIVER_BYTES
    assert "reservations" not in on_gpus["language"]["deploy"]["resources"]


def test_the_images_hold_neither_secrets_nor_data_nor_tests():
    kept = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in kept
    allowed = {line[1:] for line in kept if line.startswith("!")}
    assert not allowed & {".env", ".git", "data", "tests", ".venv"}


def test_the_dockerfile_passes_the_linter():
    linter = Path(sys.executable).with_name("hadolint")
    linted = subprocess.run(
        [linter, "--failure-threshold", "style", ROOT / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert linted.returncode == 0, linted.stdout


def test_only_images_that_run_models_have_torch(services):
    targets = read_targets()
    with_torch = {name for name in targets if "gpu" in targets[name].ancestors}
    assert with_torch == {"diffusion", "editing", "labeling", "scoring", "all"}


def test_every_profile_has_the_roles_that_the_containers_serve(monkeypatch):
    for path in CONFIGS.glob("*.yaml"):
        assert set(load_settings(path).roles) == ROLES, path
    assert yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["name"]
    assert COMPOSE.exists()


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, image in read_targets().items()
        if "factory" in image.entrypoint and image.command
    ],
)
def test_each_command_explains_itself_with_an_example(name):
    image = read_targets()[name]
    command = [*image.entrypoint, *image.command][1]
    told = CliRunner().invoke(app, [command, "--help"] if command != "--help" else [command])
    assert told.exit_code == 0
    assert command == "--help" or "Example: factory" in told.stdout
