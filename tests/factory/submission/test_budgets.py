"""Budgets: what can limit a run, and the command that raises a spent limit."""

import pytest
from typer.testing import CliRunner

from chatgenimage.db.models import Run
from chatgenimage.factory.cli import app
from chatgenimage.factory.errors import BudgetSpent, SettingsError
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.submission.budgets import (
    NO_LIMITS,
    SpendingLimits,
    allow,
    refuse_without_prices,
)

SPEAKS = {"family": "openai", "model": "m"}


def settings_with(**prices):
    return load_settings("micro", families={"language": SPEAKS | prices})


def test_a_budget_of_money_needs_a_price_and_the_message_names_the_settings():
    with pytest.raises(SettingsError) as refused:
        refuse_without_prices(settings_with(), SpendingLimits(5.0))
    for part in (
        "--budget 5 would limit nothing",
        "families.language.prompt_price and families.language.completion_price",
        "FACTORY_FAMILIES__LANGUAGE__PROMPT_PRICE and",
        "--budget-tokens 1000000",
    ):
        assert part in str(refused.value)
    refuse_without_prices(settings_with(completion_price=1.5), SpendingLimits(5.0))
    refuse_without_prices(settings_with(), SpendingLimits(tokens=5))


@pytest.mark.parametrize(
    ("option", "problem"), [("--budget", "costs money"), ("--budget-tokens", "counts tokens")]
)
def test_a_rule_book_costs_nothing_and_the_command_ends_before_it_writes(tmp_path, option, problem):
    words = ["submit", "dog", option, "5", "--data-dir", str(tmp_path / "data")]
    ended = CliRunner().invoke(app, words)
    assert ended.exit_code == 2
    assert f"no model of the profile 'micro' {problem}. Leave it out" in ended.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("columns", "raised", "command"),
    [
        ({"token_budget": 100, "spent_tokens": 120}, SpendingLimits(tokens=200), "-tokens 240"),
        ({"budget": 1.0, "spent": 2.0}, SpendingLimits(3.0), " 4.00"),
    ],
)
def test_a_spent_budget_can_be_raised_by_the_command_that_is_printed(columns, raised, command):
    run = Run(id=1, **{"spent": 0.0, "spent_tokens": 0} | columns)
    with pytest.raises(BudgetSpent, match=f"factory resume 1 --budget{command}`"):
        allow(run, NO_LIMITS)
    allow(run, raised)
    assert run.pause_reason is None
