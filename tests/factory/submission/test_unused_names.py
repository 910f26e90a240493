"""Names in a profile's tables by class that have no effect on a run."""

import pytest
from typer.testing import CliRunner

from chatgenimage.factory.api.runs import submit
from chatgenimage.factory.cli import app
from chatgenimage.factory.submission.unused_names import list_doubtful_names, list_unused_names
from chatgenimage.tasks.options import ChainOptions
from chatgenimage.tasks.words import class_of_word

TABLES = {
    "box_thresholds": 0.5,
    "phrases": ("some thing",),
    "painted": "thing",
    "styles": "{prompt}",
    "negative_prompts": "toy",
    "sizes": (64, 64),
}


@pytest.mark.parametrize(("table", "value"), TABLES.items())
def test_a_misspelt_name_is_reported_with_the_nearest_label(table, value):
    chain = ChainOptions(**{table: {"fork lift": value, "dog": value}})
    [warning] = list_unused_names(chain, ["dog", "forklift"])
    assert f"chain.{table}: 'fork lift' (did you mean 'forklift'?); no label" in warning
    assert not list_unused_names(chain, ["dog", "fork lift"])
    assert not list_unused_names(chain, [])


def test_a_name_of_the_class_list_is_found_but_not_painted():
    tables = {"box_thresholds": {"tree": 0.5}, "sizes": {"tree": (64, 64)}}
    chain = ChainOptions(class_list=("tree",), **tables)
    [warning] = list_unused_names(chain, ["dog"])
    assert warning.startswith("Without effect in chain.sizes: 'tree'; no label")


def test_case_counts_and_likely_spellings_come_first():
    entries = dict.fromkeys(["aaa", "bbb", "ccc", "Dog"], 0.5)
    [warning] = list_unused_names(ChainOptions(box_thresholds=entries), ["dog"])
    assert ": 'Dog' (did you mean 'dog'?), 'aaa', 'bbb' and 1 more; " in warning


def test_the_class_of_a_word_is_a_class_of_the_run_and_the_word_has_any_case():
    chain = ChainOptions(classes={"Kennel": "huose"})
    [warning] = list_unused_names(chain, ["house"])
    assert "chain.classes: 'huose' (did you mean 'house'?)" in warning
    assert class_of_word("KENNEL", chain) == "huose"


def test_the_doctor_compares_with_the_class_list():
    chain = ChainOptions(class_list=("dog", "tree"), box_thresholds={"dgo": 0.5, "zebra": 0.5})
    [doubt] = list_doubtful_names(chain)
    assert doubt.startswith("chain.box_thresholds has 'dgo', and chain.class_list 'dog': ")


@pytest.mark.parametrize(
    "command", [pytest.param("plan", marks=pytest.mark.models), pytest.param("submit")]
)
def test_the_commands_print_it(command, tmp_path, monkeypatch):
    monkeypatch.setenv("FACTORY_CHAIN__BOX_THRESHOLDS", '{"huose": 0.5}')
    result = CliRunner().invoke(app, [command, "house", "--data-dir", str(tmp_path)])
    assert result.exit_code == 0
    assert "chain.box_thresholds: 'huose' (did you mean 'house'?)" in result.stderr


def test_submit_from_python_warns(tmp_path, monkeypatch):
    monkeypatch.setenv("FACTORY_CHAIN__BOX_THRESHOLDS", '{"huose": 0.5}')
    with pytest.warns(UserWarning, match="did you mean 'house'"):
        submit("house", data_dir=tmp_path)
