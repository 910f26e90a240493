"""Configuration of Prometheus and Grafana: it uses only metrics of `factory metrics`."""

import shutil

import pytest

from tests import external
from tests.deploy.composed import ROOT
from tests.deploy.prometheus import (
    CONFIGS,
    alert_queries,
    dashboard,
    dashboard_queries,
    metrics_in,
    promtool,
)
from tests.factory.monitoring.test_metrics import exposed, known  # noqa: F401  # a fixture


@pytest.mark.parametrize("known", ["sqlite"], indirect=True)
def test_the_dashboard_and_the_alerts_use_only_existing_metrics(known):  # noqa: F811
    told = {name for name, *_ in exposed(known.sessions)}
    asked = metrics_in([*dashboard_queries(), *alert_queries()])
    variables = [one["query"] for one in dashboard()["templating"]["list"]]
    assert len(asked) > 10
    assert asked | metrics_in(variables) <= told


def test_the_page_explains_every_metric_that_is_asked_for():
    page = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    for name in metrics_in([*dashboard_queries(), *alert_queries()]):
        assert name.removesuffix("_count").removesuffix("_sum") in page, name


def test_the_panels_do_not_overlap_and_have_a_title_and_a_unit():
    taken, panels = set(), dashboard()["panels"]
    assert panels
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
        assert panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]


@external.PROMETHEUS.needed
def test_the_alerts_fire_when_they_should(tmp_path):
    shutil.copy(CONFIGS / "alerts.yml", tmp_path)
    shutil.copy(ROOT / "tests" / "deploy" / "alerts_test.yml", tmp_path)
    checked = promtool("check", "rules", CONFIGS / "alerts.yml", cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr
    tested = promtool("test", "rules", "alerts_test.yml", cwd=tmp_path)
    assert tested.returncode == 0, tested.stderr
