"""Checkpoints that each contract is tested with."""

import pytest

VARIANTS = ("tiny", "micro")
"""The paper's classes with random weights, and the trained ones that ship with the package."""


def checkpoints(*families):
    """Return fixture parameters: every variant of the families."""
    return [
        pytest.param((variant, family), id=f"{variant} {family}")
        for family in families
        for variant in VARIANTS
        if (variant, family) != ("micro", "grounding_dino_original")  # only one is trained
    ]
