"""Complete deployment: each container's command on this machine, up to a dataset."""

import contextlib
import io
import json
import time
import urllib.error
import urllib.request
from base64 import b64encode

import pytest
from pycocotools.coco import COCO
from sqlalchemy import func, select

from chatgenimage.db.images import ImageStore
from chatgenimage.db.models import Candidate, Run
from chatgenimage.db.session import connect, engine_of
from chatgenimage.db.states import RunState, Verdict
from tests import external
from tests.deploy.composed import SECRETS
from tests.deploy.conftest import wait_for
from tests.deploy.machine import PAGES, Machine
from tests.deploy.prometheus import Prometheus, dashboard_queries

WORKERS = ("language", "diffusion", "editing", "labeling", "scoring")
LASTING = ("dispatcher", *WORKERS, *PAGES)
PATIENCE_S = 300
HIDDEN = [value.rpartition(":")[2] for name, value in SECRETS.items() if name != "S3_ACCESS_KEY"]


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """A deployment that has processed one label; its services still run."""
    external.S3.require()
    machine = Machine(tmp_path_factory.mktemp("deployment"), external.POSTGRES.require())
    try:
        machine.start_servers()
        machine.wait_until_healthy("postgres", "s3")
        migrated = machine.run("migrate")
        assert migrated.returncode == 0, migrated.stderr
        machine.start(*LASTING)
        submitted = machine.run("submit", "dog", "--per-label", "4", "--json")
        assert submitted.returncode == 0, submitted.stderr
        wait_for_run(machine, json.loads(submitted.stdout)["run"])
        yield machine
    finally:
        machine.remove()


WITHOUT_NUMBERS = {'max by (step) (factory_gpu_memory_peak_bytes{run=~".+"})'}  # on a CPU


@pytest.fixture
def candidates(machine):
    """The candidates, as the rows record them."""
    sessions = connect(machine.database_url)
    with sessions() as session:
        yield session.scalars(select(Candidate)).all()
    engine_of(sessions).dispose()


def wait_for_run(machine, run_id):
    sessions = connect(machine.database_url)
    deadline = time.monotonic() + PATIENCE_S
    try:
        while True:
            with sessions() as session:
                if session.get_one(Run, run_id).state == RunState.DONE:
                    return
            assert time.monotonic() < deadline, machine.tell(WORKERS)
            time.sleep(0.2)
    finally:
        engine_of(sessions).dispose()


def test_a_label_became_accepted_images_in_the_bucket(machine, candidates, s3_keys):
    accepted = [one for one in candidates if one.verdict == Verdict.ACCEPTED]
    assert {one.origin for one in candidates} == {"generated", "edited", "filled"}
    assert accepted
    objects = {path.stem for path in (machine.folder / "buckets").rglob("*.png")}
    assert objects == {one.sha256 for one in candidates}
    s3_keys.setenv("AWS_SECRET_ACCESS_KEY", SECRETS["S3_SECRET_KEY"])
    images = ImageStore("s3://factory/images", machine.url("s3"))
    for one in accepted:
        assert images.get(one.sha256).shape == (one.height_px, one.width_px, 3)
        assert images.provenance(one.sha256)["seed"] == one.seed


def test_accepted_candidates_are_exported(machine, candidates):
    exported = machine.run("factory", "export", "coco", "--out", "/data/dataset")
    assert exported.returncode == 0, exported.stderr
    file = machine.folder / "data" / "dataset" / "annotations" / "instances_train.json"
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(file))
    assert len(coco.imgs) == sum(one.verdict == Verdict.ACCEPTED for one in candidates)


@pytest.mark.parametrize("name", LASTING)
def test_a_service_is_healthy_while_it_runs(machine, name):
    machine.wait_until_healthy(name)


@external.REDIS_CLI.needed
def test_redis_is_healthy_while_it_runs(machine):
    assert machine.check_health("redis").stdout.strip() == "PONG"


def test_a_service_that_does_not_run_is_not_healthy(machine):
    assert machine.run("diffusion", "worker", "all", "--probe").returncode == 1


def test_the_doctor_finds_nothing_wrong(machine):
    told = machine.run("labeling", "doctor", "--json")
    found = {one["name"]: one for one in json.loads(told.stdout)}
    assert told.returncode == 0, found
    assert found["images"]["text"].startswith("s3://factory/images at http://")
    assert found["database"]["text"].startswith("postgresql+psycopg://factory@")
    assert not [secret for secret in HIDDEN if secret in told.stdout + told.stderr]


def test_the_pages_require_the_secret(machine):
    machine.wait_until_healthy(*PAGES)
    login = b64encode(SECRETS["FLOWER_BASIC_AUTH"].encode()).decode()
    known = {"Authorization": f"Basic {login}"}
    assert status_of(f"{machine.url('flower')}/tasks") == 401
    assert status_of(f"{machine.url('flower')}/tasks", known) == 200
    assert status_of(f"{machine.url('gallery')}/runs") == 401
    token = SECRETS["GALLERY_TOKEN"]
    assert status_of(f"{machine.url('gallery')}/runs?token={token}") == 200
    scraper = {"Authorization": f"Bearer {SECRETS['METRICS_TOKEN']}"}
    assert status_of(f"{machine.url('metrics')}/metrics") == 401
    assert status_of(f"{machine.url('metrics')}/metrics", scraper) == 200


@external.PROMETHEUS.needed
def test_a_real_prometheus_draws_every_panel_of_the_dashboard(machine):
    with Prometheus(machine) as prometheus:
        prometheus.wait_for_scrapes(3)
        wait_for(lambda: empty_panels(prometheus) <= WITHOUT_NUMBERS)  # a scrape may fail
        (accepted,) = prometheus.query('sum(factory_candidates{verdict="accepted"})')
        assert float(accepted["value"][1]) == count_accepted(machine)
        assert prometheus.firing() == []


def test_no_secret_is_logged(machine):
    told = machine.read_logs()
    for words in (("status",), ("status", "--json"), ("show", "1")):
        done = machine.run("factory", *words)
        told[str(words)] = done.stdout + done.stderr
    sessions = connect(machine.database_url)
    with sessions() as session:
        told["profile"] = json.dumps(session.get_one(Run, 1).profile)
    engine_of(sessions).dispose()
    for place, text in told.items():
        assert not [secret for secret in HIDDEN if secret in text], place


def empty_panels(prometheus):
    return {expr for expr in dashboard_queries() if not prometheus.query(expr)}


def count_accepted(machine):
    sessions = connect(machine.database_url)
    with sessions() as session:
        accepted = Candidate.verdict == Verdict.ACCEPTED
        count = session.scalar(select(func.count()).where(accepted))
    engine_of(sessions).dispose()
    return count


def status_of(url, headers=None):
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    try:
        with opener.open(urllib.request.Request(url, headers=headers or {})) as answer:  # noqa: S310
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
