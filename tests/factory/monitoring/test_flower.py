"""Flower as a process, with a real worker whose steps only sleep, on a real broker."""

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
import yaml
from sqlalchemy import select

from chatgenimage.db.models import Label, Run
from chatgenimage.factory.broker.embedded_redis import EmbeddedBroker
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.settings.profiles import CONFIGS
from chatgenimage.factory.submission.labels import read_labels
from chatgenimage.factory.submission.submitter import submit
from tests import rows
from tests.factory.sleeping import SLEEP_FILE

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[3]
PATIENCE_S = 300
LOGIN = "somebody:open-sesame"
NASTY = "<script>document.title='broken'</script> 🐶 \"' &amp;"
LONG = "w" * 200
PAGES = ["/", "/workers", "/tasks", "/broker", "/task/x", "/metrics"]
API = ["/api/workers", "/api/tasks", "/api/queues/length", "/api/task/types"]


@contextmanager
def flower(data_dir, *arguments, **environment):
    """Run `factory flower` on a free port; yield its process and its URL."""
    command = [sys.executable, "-m", "chatgenimage", "flower", "--port", "0", *arguments]
    told = data_dir / "flower.log"
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` ignores it
    with told.open("w") as log:
        process = subprocess.Popen(
            [*command, "--data-dir", str(data_dir)],
            cwd=ROOT,
            stdout=log,
            stderr=log,
            env={**os.environ, **environment},
        )
    try:
        found = wait_for(
            lambda: (
                process.poll() is not None
                or re.search(r"http://127\.0\.0\.1:\d+", told.read_text())
            )
        )
        assert process.poll() is None, told.read_text()
        yield process, found.group()
    finally:
        process.kill()
        process.wait()


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def get(url, login=None, method="GET"):
    """Return the status and the text of a response."""
    request = urllib.request.Request(  # noqa: S310  # our own server's address
        url, method=method, data=b"" if method == "POST" else None
    )
    if login:
        request.add_header("Authorization", f"Basic {base64.b64encode(login.encode()).decode()}")
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.fixture(scope="module")
def worked_off(migrated, tmp_path_factory):
    """URL of a Flower that has seen a worker process two runs, one with hostile labels."""
    data_dir = tmp_path_factory.mktemp("flower")
    rows.make_database(data_dir)
    place = rows.open_place(data_dir)
    values = yaml.safe_load((CONFIGS / "micro.yaml").read_text(encoding="utf-8"))
    values["chain"] |= {"rounds": 1, "per_label": 2}
    profile = data_dir / "sleeping.yaml"
    profile.write_text(yaml.safe_dump(values), encoding="utf-8")
    (data_dir / SLEEP_FILE).write_text("0")
    settings = load_settings(profile, data_dir=data_dir, broker_url=None)
    with place.sessions.begin() as session:
        submit(session, read_labels(["dog", "house", "owl"]).requests, settings, seed=0)
        labels = {label.name: label for label in session.scalars(select(Label))}
        labels["house"].name, labels["owl"].name = NASTY, LONG  # another client may write any label
    command = [sys.executable, "-m", "tests.factory.sleeping_worker"]
    command += ["--profile", profile, "--data-dir", data_dir]
    with flower(data_dir, FLOWER_BASIC_AUTH=LOGIN) as (_, url), (data_dir / "log").open("w") as log:
        wait_for(lambda: hears_events(data_dir))  # it says its address before that
        worker = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        try:
            wait_for(lambda: is_done(place))
            wait_for(lambda: len(states := states_of_tasks(url)) >= 33 and {*states} == {"SUCCESS"})
            yield url
        finally:
            worker.kill()
            worker.wait()


def hears_events(data_dir):
    place = str(EmbeddedBroker(data_dir).socket_path)
    with redis.Redis(unix_socket_path=place) as client:
        return client.pubsub_numpat() + len(client.pubsub_channels())


def states_of_tasks(url):
    tasks = json.loads(get(f"{url}/api/tasks", LOGIN)[1])
    return [task["state"] for task in tasks.values()]


def is_done(place):
    with place.sessions() as session:
        return session.scalars(select(Run.state)).all() == ["done"]


@pytest.mark.parametrize("path", [*PAGES, *API])
def test_no_page_and_no_answer_without_the_password(worked_off, path):
    assert get(worked_off + path)[0] == 401
    assert get(worked_off + path, "somebody:wrong")[0] == 401


@pytest.mark.parametrize(
    "path", ["/logout", "/no-such-page", "/healthcheck", "/static/..%2fapp.py"]
)
def test_open_pages_show_nothing_about_runs(worked_off, path):
    status, text = get(worked_off + path)
    assert status in {200, 403, 404}
    assert all(word not in text for word in ("run 1", "dog", "all@", "redis", "import"))


@pytest.mark.parametrize("path", ["/", "/tasks", "/broker", "/metrics", *API])
def test_with_the_password_there_is_every_page(worked_off, path):
    assert get(worked_off + path, LOGIN)[0] == 200


@pytest.mark.parametrize(
    "path", ["/api/task/async-apply/generate", "/api/task/revoke/x", "/api/worker/shutdown/x"]
)
def test_flower_cannot_control_workers(worked_off, path):
    assert get(worked_off + path, method="POST")[0] == 401
    assert get(worked_off + path, LOGIN, method="POST")[0] == 403


def test_every_task_says_of_which_run_label_batch_and_round_it_is(worked_off):
    tasks = json.loads(get(f"{worked_off}/api/tasks?limit=100", LOGIN)[1]).values()
    of_dog = [task for task in tasks if "dog" in task["args"]]
    told = {(task["name"], task["args"]) for task in of_dog}
    assert ("generate", "run 1 · dog · batch 0 · round 0") in told
    assert ("fill", "run 1 · dog · batch 0 · round 1") in told
    assert {task["state"] for task in of_dog if task["name"] == "generate"} == {"SUCCESS"}
    assert all(re.match(r"run 1 · .{3,40} · batch \d · round [01]$", t["args"]) for t in tasks)


def test_every_task_succeeded_and_says_in_words_what_it_did(worked_off):
    tasks = list(json.loads(get(f"{worked_off}/api/tasks?limit=100", LOGIN)[1]).values())
    assert {task["state"] for task in tasks} == {"SUCCESS"}
    ends = ("done", "computed; ", "given back; ", "nothing to do: ")
    assert all(task["result"].strip("'").startswith(ends) for task in tasks), tasks


def test_a_browser_shows_labels_and_does_not_execute_them(worked_off, chromium):
    user, _, password = LOGIN.partition(":")
    with chromium.new_context(http_credentials={"username": user, "password": password}) as context:
        page, complaints = context.new_page(), []
        page.set_default_timeout(PATIENCE_S * 1000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{worked_off}/tasks?limit=50")
        page.wait_for_selector("#tasks-table tbody tr >> text=dog")
        page.select_option("select[name='tasks-table_length']", "50")
        cell = page.get_by_text("<script>document.title='broken'").first
        cell.wait_for()
        assert "broken" not in page.title()
        page.locator("tr", has=cell).locator("a[href*='/task/']").first.click()
        page.wait_for_url("**/task/*")
        assert "<script>document.title='broken'" in page.inner_text("body")
        assert "broken" not in page.title()
        assert complaints == []


def test_ctrl_c_ends_it_quietly_and_a_new_password_is_printed_once(tmp_path, monkeypatch):
    for name in ("FLOWER_BASIC_AUTH", "FACTORY_FLOWER_BASIC_AUTH", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    with flower(tmp_path) as (process, url):
        text = (tmp_path / "flower.log").read_text()
        login = ":".join(re.search(r"user (\S+), password (\S+)", text).groups())
        assert get(f"{url}/tasks")[0] == 401
        assert get(f"{url}/tasks", login)[0] == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0
    text = (tmp_path / "flower.log").read_text()
    assert text.count("password") == 1
    assert "Traceback" not in text


def refused(*arguments, **environment):
    """Return the output of a `factory flower` that does not start."""
    command = [sys.executable, "-m", "chatgenimage", "flower", *arguments]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
        cwd=ROOT,
        env={**os.environ, **environment},
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_used_port_is_reported(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        text = refused("--port", str(port), "--data-dir", str(tmp_path))
    assert f"127.0.0.1:{port} is used by another program" in text


def test_other_machines_need_a_chosen_password(tmp_path):
    text = refused("--host", "0.0.0.0", "--data-dir", str(tmp_path))  # noqa: S104
    assert "FACTORY_FLOWER_BASIC_AUTH" in text


def test_an_api_without_a_password_is_refused(tmp_path):
    text = refused("--data-dir", str(tmp_path), FLOWER_UNAUTHENTICATED_API="true")
    assert "Unset it" in text


def test_a_login_without_a_password_is_refused_and_not_repeated(tmp_path):
    text = refused("--data-dir", str(tmp_path), FLOWER_BASIC_AUTH="onlyme")
    assert "user:password" in text
    assert "onlyme" not in text
