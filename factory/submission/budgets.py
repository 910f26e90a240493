"""Budgets of a run: limits on the money or the tokens that its language model may use."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from chatgenimage.db.models import Run
from chatgenimage.db.spending import spent_budget_of
from chatgenimage.factory.commands import spell
from chatgenimage.factory.errors import BudgetSpent, SettingsError
from chatgenimage.factory.settings.model import ENV_PREFIX, Settings

PRICE = "price"
"""Part of the name of each price in a family's settings."""


@dataclass(frozen=True, slots=True)
class SpendingLimits:
    """Limits that a person gave; None: the run keeps the one it has.

    Attributes:
        cost: Most that the language model may cost, in the currency of the profile's prices.
        tokens: Most tokens, sent and received, that it may count.

    Raises:
        SettingsError: If the cost is no number; with it no comparison would ever stop a run.
    """

    cost: float | None = None
    tokens: int | None = None

    def __post_init__(self) -> None:
        if self.cost is not None and not math.isfinite(self.cost):
            raise SettingsError(f"--budget {self.cost}: expected a number, e.g. --budget 5.")


NO_LIMITS = SpendingLimits()


def refuse_without_prices(settings: Settings, limits: SpendingLimits) -> None:
    """Check that a limit of money or tokens can be reached: the profile has a price.

    Raises:
        SettingsError: If all prices of the profile are 0, or no model has one; names the settings.
    """
    prices = dict(_prices_in(settings))
    if not prices and limits.tokens is not None:
        raise SettingsError(
            f"--budget-tokens {limits.tokens} would limit nothing: no model of the profile "
            f"{settings.profile!r} counts tokens. Leave it out."
        )
    if limits.cost is None or any(prices.values()):
        return
    if not prices:
        raise SettingsError(
            f"--budget {limits.cost:g} would limit nothing: no model of the profile "
            f"{settings.profile!r} costs money. Leave it out."
        )
    variables = " and ".join(_variable(key) for key in prices)
    raise SettingsError(
        f"--budget {limits.cost:g} would limit nothing: the prices of the profile "
        f"{settings.profile!r} are 0. Set {' and '.join(prices)} to the prices of your provider in "
        f"the profile, or {variables} in the environment; or limit tokens: --budget-tokens 1000000."
    )


def allow(run: Run, limits: SpendingLimits) -> None:
    """Set a run's budgets, as far as they are given.

    Raises:
        BudgetSpent: If the run has already spent one of its budgets.
    """
    run.budget = run.budget if limits.cost is None else limits.cost
    run.token_budget = run.token_budget if limits.tokens is None else limits.tokens
    if spent := spent_budget_of(run):
        raise BudgetSpent(f"run {run.id} is paused: {spent}. {budget_advice(run)}")
    run.pause_reason = None


def budget_advice(run: Run) -> str:
    """Return which command lets a run continue whose budget is spent."""
    options: list[object] = []
    if run.budget is not None and run.spent >= run.budget:
        options += ["--budget", f"{max(2 * run.spent, 0.01):.2f}"]
    if run.token_budget is not None and run.spent_tokens >= run.token_budget:
        options += ["--budget-tokens", max(2 * run.spent_tokens, 1)]
    return f"Give it more, e.g. `{spell('resume', run.id, *options)}`."


def _prices_in(settings: Settings) -> Iterator[tuple[str, float]]:
    """Yield each price of the profile with its key, e.g. families.language.prompt_price."""
    for key, family in settings.families.items():
        for name in type(family).model_fields:
            if PRICE in name:
                yield f"families.{key}.{name}", getattr(family, name) or 0.0


def _variable(key: str) -> str:
    return ENV_PREFIX + key.upper().replace(".", "__")
