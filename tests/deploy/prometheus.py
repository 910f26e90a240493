"""A real Prometheus with the configuration that the compose file mounts."""

import json
import os
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request

import yaml

from tests.deploy.composed import ROOT, SECRETS

CONFIGS = ROOT / "configs" / "monitoring"
PATIENCE_S = 300


class Prometheus:
    """The service of the compose file as a process on this machine."""

    def __init__(self, machine):
        self._folder = machine.folder / "prometheus"
        self._folder.mkdir()
        self._target = machine.url("metrics").removeprefix("http://")
        self._options = machine.services["prometheus"]["command"]
        self._log = self._folder / "log"

    def __enter__(self):
        token = self._folder / "token"
        token.write_text(SECRETS["METRICS_TOKEN"])
        shutil.copy(CONFIGS / "alerts.yml", self._folder)
        config = (CONFIGS / "prometheus.yml").read_text(encoding="utf-8")
        for theirs, ours in (
            ("metrics:9478", self._target),
            ("/tmp/metrics_token", str(token)),  # noqa: S108
            ("interval: 15s", "interval: 5s"),
            ("timeout: 10s", "timeout: 5s"),  # the factory itself waits for the database for 2 s
        ):
            assert theirs in config
            config = config.replace(theirs, ours)
        (self._folder / "prometheus.yml").write_text(config, encoding="utf-8")
        places = {"/etc/prometheus": str(self._folder), "=/prometheus": f"={self._folder}/kept"}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    shutil.which("prometheus"),
                    *(_replace(option, places) for option in self._options),
                    "--web.listen-address=127.0.0.1:0",
                ],
                stdout=log,
                stderr=log,
            )
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()

    def wait_for_scrapes(self, count):
        """Wait until `count` scrapes of the factory are stored."""
        deadline = time.monotonic() + PATIENCE_S
        while not self._has_scraped(count):
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.5)

    def query(self, expression):
        """Return the current samples of an expression."""
        words = urllib.parse.urlencode({"query": expression})
        place = re.search(r'Listening on" address=(\S+)', self._log.read_text()).group(1)
        with urllib.request.urlopen(f"http://{place}/api/v1/query?{words}") as answer:
            return json.load(answer)["data"]["result"]

    def firing(self):
        """Return the names of firing and pending alerts."""
        return [one["metric"]["alertname"] for one in self.query("ALERTS")]

    def _has_scraped(self, count):
        if "Listening on" not in self._log.read_text():
            return False
        try:
            found = self.query("count_over_time(factory_database_up[1h])")
        except OSError:
            return False
        return bool(found) and float(found[0]["value"][1]) >= count


def dashboard():
    return json.loads((CONFIGS / "dashboard.json").read_text(encoding="utf-8"))


def dashboard_queries():
    """Return the expressions of all panels, for every run."""
    return [
        target["expr"].replace("$run", ".+")
        for panel in dashboard()["panels"]
        for target in panel["targets"]
    ]


def alert_queries():
    rules = yaml.safe_load((CONFIGS / "alerts.yml").read_text(encoding="utf-8"))
    return [rule["expr"] for group in rules["groups"] for rule in group["rules"]]


def metrics_in(expressions):
    """Return the names of the factory's metrics in expressions."""
    return {name for each in expressions for name in re.findall(r"\bfactory_\w+", each)}


def promtool(*words, cwd):
    return subprocess.run(
        [shutil.which("promtool"), *map(str, words)],
        cwd=cwd,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )


def _replace(option, places):
    for theirs, ours in places.items():
        option = option.replace(theirs, ours)
    return option
