import csv
import io
import json

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from chatgenimage.db.domains import list_coverage, to_matrix
from chatgenimage.db.models import Candidate, Score
from chatgenimage.db.pagination import list_samples
from chatgenimage.db.states import Verdict
from chatgenimage.factory.cli import app
from chatgenimage.factory.gallery.server import build_gallery
from chatgenimage.factory.query.store import open_store
from tests import rows
from tests.factory.exports import export_as

BEACH, SNOW = "on a beach", "in snow"
DOMAINS = {BEACH: BEACH, SNOW: "on a snowy field"}


@pytest.fixture
def store(place):
    """A finished run: of dog 3 in one domain and 1 in the other were accepted, of house 1 and 0."""
    with place.sessions.begin() as session:
        run = rows.add_run(session, ["dog", "house"], batches=2, state="done")
        for batch in rows.batches_of(session, run):
            batch.domain = (BEACH, SNOW)[batch.index]
            batch.label.domains, batch.label.per_label = DOMAINS, 3
            if batch.domain == BEACH and batch.label.name == "dog":
                rows.add_family(place, session, batch)
                continue
            is_good = (batch.label.name, batch.domain) != ("house", SNOW)
            candidate = rows.add_candidate(place, session, batch)
            score = Score(name="domain_probability", value=0.9 if is_good else 0.2)
            candidate.scores.append(score)
            if not is_good:
                candidate.verdict, candidate.reason = Verdict.REJECTED, "domain_not_seen"
    with open_store(place.data_dir) as opened:
        yield opened


@pytest.fixture
def factory(place):
    def run(*words):
        words = [*map(str, words), "--data-dir", str(place.data_dir)]
        return CliRunner().invoke(app, words)

    return run


CELLS = [("dog", BEACH, 3, 2), ("dog", SNOW, 1, 1), ("house", BEACH, 1, 2), ("house", SNOW, 0, 1)]


def test_the_coverage_counts_accepted_and_wanted_images_of_each_cell(store, place):
    with place.sessions() as session:
        found = list_coverage(session, 1)
        assert [(one.label, one.domain, one.accepted, one.wanted) for one in found] == CELLS
        assert [one.is_full for one in found] == [True, True, False, False]
        assert list_coverage(session, 1, limit=1) == found[:2]


def test_with_a_quota_its_shares_are_wanted(store, place):
    with place.sessions.begin() as session:
        for one in session.query(Candidate).all():
            one.label.quota = 5
        assert {one.wanted for one in list_coverage(session, 1)} == {2, 3}


def test_a_matrix_has_a_gap_where_a_label_has_no_such_domain(store, place):
    with place.sessions() as session:
        dog_beach, _, _, house_snow = list_coverage(session, 1)
    assert to_matrix([dog_beach, house_snow]) == {
        "dog": {BEACH: dog_beach, SNOW: None},
        "house": {BEACH: None, SNOW: house_snow},
    }


def test_status_shows_the_matrix_and_its_json_has_the_cells(store, factory):
    text = " ".join(factory("status").stdout.split())
    assert "Coverage, accepted/wanted label on a beach in snow dog 3/2 1/1 house 1/2 0/1" in text
    told = json.loads(factory("status", "--json").stdout)["coverage"]
    assert [tuple(cell.values()) for cell in told] == CELLS


def test_a_run_without_domains_has_no_matrix(place, factory):
    with place.sessions.begin() as session:
        rows.add_run(session)
    assert "Coverage" not in factory("status").stdout
    assert json.loads(factory("status", "--json").stdout)["coverage"] == []


def test_candidates_are_found_by_domain_without_case(store, factory):
    found = json.loads(factory("query", "--domain", "In Snow", "--format", "json").stdout)
    assert [(one["label"], one["domain"]) for one in found] == [("dog", SNOW), ("house", SNOW)]
    assert store.count(domain=SNOW, label="dog") == 1
    assert store.count(domain=[SNOW, BEACH]) == store.count()
    table = csv.DictReader(io.StringIO(factory("query", "--format", "csv").stdout))
    assert {row["domain"] for row in table} == {SNOW, BEACH}
    assert factory("query", "--reason", "domain_not_seen").stdout.count("domain_not_seen") == 1


def test_an_unknown_domain_is_refused_with_the_known_ones(store, factory):
    refused = factory("query", "--domain", "in fog")
    assert refused.exit_code == 2
    assert (
        "no domain is called 'in fog'; did you mean 'in snow'? there are: in snow, on"
        in refused.stderr
    )


def test_a_refilter_judges_the_domain_again(store, factory, place):
    limits = ("--set", "domain_probability=0.1", "--set", "clip_similarity=0.2")
    again = factory("refilter", "1", *limits, "--yes")
    assert again.exit_code == 0, again.output
    with place.sessions() as session:
        assert [one.accepted for one in list_coverage(session, 1)] == [3, 1, 1, 1]


def test_the_report_has_the_matrix(store, factory, tmp_path):
    assert factory("report", 1, "--out", tmp_path / "report.html").exit_code == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<h2>Coverage</h2>" in page
    assert '<td class="number short">0/1</td>' in page


def test_the_gallery_has_the_matrix_and_a_filter(store):
    client = TestClient(build_gallery(store), "http://127.0.0.1")
    page = client.get("/runs/1").text
    assert "Coverage" in page
    assert "domain=in+snow" in page
    assert client.get("/candidates?domain=in+snow").text.count('src="/images/') == 2
    assert 'name="domain"' in client.get("/candidates").text
    assert f"<dd>{BEACH}</dd>" in client.get("/candidates/1").text


def test_samples_of_a_run_show_its_domains(store, place):
    with place.sessions() as session:
        shown = [session.get_one(Candidate, one) for one in list_samples(session, 1, 4)]
        cells = {(one.label.name, one.domain) for one in shown}
    assert cells == {("dog", BEACH), ("dog", SNOW), ("house", BEACH)}


def test_the_card_has_the_matrix_and_the_labels_file_names_the_domains(store, place, tmp_path):
    export_as(place, "coco", tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "| run | label | on a beach | in snow |" in card
    assert "| 1 | house | 1/2 | 0/1 |" in card
    assert "domain_probability" in card
    labels = (tmp_path / "out" / "runs" / "1.csv").read_text(encoding="utf-8")
    assert labels.splitlines()[1] == 'dog,3,,,scene,"on a beach,in snow"'


def test_the_card_of_a_run_without_domains_does_not_mention_them(filled_place, tmp_path):
    export_as(filled_place, "coco", tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "Coverage" not in card
    assert "domain_probability" not in card
    labels = (tmp_path / "out" / "runs" / "1.csv").read_text(encoding="utf-8")
    assert labels.splitlines()[0] == "label,per_label,accepted,max_images,mode"
