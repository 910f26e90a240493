import json

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from chatgenimage.db.models import Batch, Label, Run
from chatgenimage.factory.cli import app
from chatgenimage.factory.errors import BadLabels, SettingsError
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.settings.run_profile import dump_profile
from chatgenimage.factory.submission.domains import check_domains, plan_label
from chatgenimage.factory.submission.labels import LabelRequest, read_labels
from chatgenimage.factory.submission.submitter import request_key, submit
from chatgenimage.tasks.options import ChainOptions

TWO = "on a beach,in snow"
KEY_IN_0_2 = "a8d7d3c5fdf9681603caea23fa0e04dd82284214cba77578458274f878e453e3"
"""`request_key` of two labels in version 0.2.0."""


def settings_with(**chain):
    return load_settings("micro", chain={"batch_size": 3, **chain})


def submit_words(place, requests, **chain):
    with place.sessions.begin() as session:
        return submit(session, requests, settings_with(**chain), seed=0).run_id


def batches(place):
    with place.sessions() as session:
        found = select(Label.name, Batch.index, Batch.size, Batch.domain)
        found = found.join(Label, Label.id == Batch.label_id).order_by(Label.id, Batch.index)
        return [tuple(row) for row in session.execute(found)]


def test_the_images_of_a_label_are_divided_evenly_and_each_batch_has_one_domain(place):
    submit_words(place, [LabelRequest("dog")], per_label=9, domains=TWO)
    assert batches(place) == [
        ("dog", 0, 3, "on a beach"),
        ("dog", 1, 2, "on a beach"),
        ("dog", 2, 2, "in snow"),
        ("dog", 3, 2, "in snow"),
    ]
    with place.sessions() as session:
        (label,) = session.scalars(select(Label))
        assert list(label.domains.items()) == [
            ("on a beach", "on a beach"),
            ("in snow", "on a snowy field"),
        ]


def test_the_domains_of_a_label_replace_those_of_the_run(place):
    requests = [LabelRequest("dog", domains=("in a room",)), LabelRequest("house")]
    submit_words(place, requests, per_label=2, domains=TWO)
    assert [domain for *_, domain in batches(place)] == ["in a room", "on a beach", "in snow"]


def test_without_domains_everything_is_stored_as_in_version_0_2(place):
    submit_words(place, [LabelRequest("dog")], per_label=4)
    assert batches(place) == [("dog", 0, 2, None), ("dog", 1, 2, None)]
    with place.sessions() as session:
        assert session.scalars(select(Label.id).where(Label.domains.is_(None))).all()
        (profile,) = session.scalars(select(Run.profile))
    assert "domains" not in profile["chain"]
    assert "domain_probability_min" not in profile["thresholds"]
    requests = [LabelRequest("dog"), LabelRequest("house", 3, "scene", 5, 9)]
    assert request_key(requests, {"chain": {}}, 7) == KEY_IN_0_2


def test_domains_and_their_threshold_are_frozen_with_a_run():
    settings = load_settings(
        "micro", chain={"domains": TWO}, thresholds={"domain_probability_min": 0.7}
    )
    profile = dump_profile(settings)
    assert profile["chain"]["domains"] == ["on a beach", "in snow"]
    assert profile["thresholds"]["domain_probability_min"] == 0.7


def test_domains_are_a_part_of_the_request(place):
    first = submit_words(place, [LabelRequest("dog", domains=("in snow",))])
    assert submit_words(place, [LabelRequest("dog", domains=("in snow",))]) == first
    assert submit_words(place, [LabelRequest("dog", domains=("on a beach",))]) != first
    assert submit_words(place, [LabelRequest("dog")]) != first


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", 'label,domains\ndog," At  night ,in fog"\nhouse,\n'),
        ("a.jsonl", '{"label": "dog", "domains": ["At night", "in fog"]}\n{"label": "house"}\n'),
        ("b.jsonl", '{"label": "dog", "domains": "At night,in fog"}\n{"label": "house"}\n'),
    ],
)
def test_a_file_names_the_domains_of_each_label(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    dog, house = read_labels(files=[tmp_path / name]).requests
    assert dog.domains == ("At night", "in fog")
    assert house.domains is None


@pytest.mark.parametrize(
    ("domains", "part"),
    [
        pytest.param("", "domain 1 is empty", id="empty"),
        pytest.param("at night,,in fog", "domain 2 is empty", id="empty one"),
        pytest.param("at night, At  Night", "named twice", id="twice"),
        pytest.param("at night,in f\x00og", "U+0000", id="control character"),
        pytest.param("at night\nin fog", "U+000A", id="line break"),
        pytest.param("{objects}", "LEFT CURLY", id="template slot"),
        pytest.param("n" * 101, "101 characters", id="very long"),
        pytest.param(",".join(map(str, range(101))), "at most 100", id="very many"),
        pytest.param(["at night, in fog"], "contains a comma", id="two in one"),
        pytest.param([3], "expected text", id="a number"),
        pytest.param(3, "expected text", id="only a number"),
    ],
)
def test_wrong_domains_are_refused_with_a_reason(domains, part):
    with pytest.raises(SettingsError, match="'domains' is wrong") as caught:
        settings_with(domains=domains)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_domain_in_a_file_is_reported_with_its_line(tmp_path):
    (tmp_path / "a.csv").write_text('label,domains\ndog,"at night,"\n')
    with pytest.raises(BadLabels, match=r"a\.csv, line 2: `domains` .*: domain 2 is empty"):
        read_labels(files=[tmp_path / "a.csv"])


@pytest.mark.parametrize(
    ("chain", "part"),
    [
        ({"per_label": 2}, "2 cannot be divided among 3 domains; expected --per-label 3"),
        ({"accepted": 2}, "2 cannot be divided among 3 domains; expected --accepted 3"),
        ({"accepted": 3, "max_images": 2}, "expected --max-images 3"),
    ],
)
def test_more_domains_than_images_are_refused(chain, part):
    options = ChainOptions(domains="at night,in fog,in snow", **chain)
    with pytest.raises(BadLabels, match=part):
        plan_label(LabelRequest("dog"), options)


def test_the_rule_book_refuses_a_domain_that_its_models_cannot_paint():
    settings = settings_with(domains="in fog")
    with pytest.raises(BadLabels, match=r"domain 'in fog'; it knows: in a forest") as caught:
        check_domains(settings, [LabelRequest("dog"), LabelRequest("house")])
    assert len(caught.value.problems) == 1


def test_the_command_line_writes_nothing_for_wrong_domains(tmp_path):
    words = ["submit", "dog", "--domains", "in fog", "--data-dir", str(tmp_path / "data")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "data").exists()


def test_the_command_line_divides_the_images(sqlite_place):
    place = sqlite_place
    words = ["submit", "dog", "--per-label", "4", "--domains", TWO, "--json"]
    result = CliRunner().invoke(app, [*words, "--data-dir", str(place.data_dir)])
    assert json.loads(result.stdout)["run"] == 1
    assert batches(place) == [("dog", 0, 2, "on a beach"), ("dog", 1, 2, "in snow")]
