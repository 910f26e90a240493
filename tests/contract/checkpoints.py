"""Which checkpoints each contract is held to."""

import pytest

TRAINED = {"grounding_dino"}


def checkpoints(*families):
    """Return fixture parameters: the families in the paper's classes, tiny and trained."""
    return [
        pytest.param((variant, family), id=f"{variant} {family}")
        for family in families
        for variant in ("tiny", "micro")
        if variant == "tiny" or family in TRAINED
    ]
