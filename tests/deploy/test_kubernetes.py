"""Kubernetes manifests of docs/scaling.md match the containers."""

import re

import pytest
import yaml
from typer.testing import CliRunner

from chatgenimage.factory.cli import app
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.tasks.chain import QUEUES
from tests.deploy.composed import ROOT, read_services, read_targets

ROLE = "diffusion"


@pytest.fixture(scope="module")
def manifests():
    text = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.+?)```", text, re.DOTALL)
    return {manifest["kind"]: manifest for manifest in yaml.safe_load_all(block)}


def test_a_pod_runs_what_the_container_runs(manifests):
    pod = manifests["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    target, service = read_targets()[ROLE], read_services()[ROLE]
    assert container["args"][: len(target.command)] == target.command
    for probe in ("startupProbe", "livenessProbe"):
        assert container[probe]["exec"]["command"] == target.health
        assert container[probe]["timeoutSeconds"] >= 20
    assert str(pod["securityContext"]["runAsUser"]) == target.user
    assert f"{pod['terminationGracePeriodSeconds'] // 60}m0s" == service["stop_grace_period"]
    (mount,) = container["volumeMounts"]
    assert mount["mountPath"] == target.environment["FACTORY_DATA_DIR"]
    asked = CliRunner().invoke(app, [*container["args"], "--help"])
    assert asked.exit_code == 0, asked.output


def test_its_worker_is_scaled_by_its_queue_and_the_window_lets_it(manifests, monkeypatch):
    scaled = manifests["ScaledObject"]["spec"]
    (trigger,) = scaled["triggers"]
    assert scaled["scaleTargetRef"]["name"] == manifests["Deployment"]["metadata"]["name"]
    assert trigger["metadata"]["listName"] in QUEUES.values()
    text = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
    name, value = re.search(r"`(FACTORY_DELIVERY__WINDOW)=(\d+)`", text).groups()
    monkeypatch.setenv(name, value)
    most_waiting = load_settings("micro").delivery.window - scaled["maxReplicaCount"]
    assert most_waiting >= scaled["maxReplicaCount"] * int(trigger["metadata"]["listLength"])
