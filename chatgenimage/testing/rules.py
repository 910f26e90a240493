"""Contract checks of filter rules of plug-ins."""

import math

from chatgenimage.tasks.rule import ImageRule, RuleInput
from chatgenimage.testing.contract import ContractBroken, require


def check_rule(rule: ImageRule, *, good: RuleInput, bad: RuleInput) -> None:
    """Check that a rule accepts a good image and rejects a bad one, at its own threshold.

    Args:
        rule: The rule.
        good: An image that it must accept.
        bad: An image that it must reject.

    Raises:
        ContractBroken: If it does not, or its scores are not finite numbers, or change.
    """
    require(rule.origins, "it judges no origin")
    for name, shown, passes in (("good", good, True), ("bad", bad, False)):
        before = shown.image.copy()
        value, again = rule.measure(shown), rule.measure(shown)
        require((shown.image == before).all(), "it changed the image")
        require(value == again, f"the same image gave {value}, then {again}")
        if value is None or not math.isfinite(value):
            raise ContractBroken(f"the {name} image gave {value}; expected a finite number")
        found, wanted = rule.passes(value, rule.threshold), rule.describe(rule.threshold)
        require(found is passes, f"the {name} image has {rule.name} {value}; {wanted} passes")
