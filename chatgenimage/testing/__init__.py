"""Contract checks, for the tests of packages that add families, filter rules or label readers.

    from chatgenimage.testing import check_family, sample_images
    check_family(Painter.load(PainterConfig(), "cpu"))

Each function raises `ContractBroken`, an AssertionError that says what was found and expected. No
test framework is needed.
"""

from chatgenimage.testing.contract import ContractBroken, same_image, sample_images
from chatgenimage.testing.families import CHECKS, check_family, check_identity
from chatgenimage.testing.labels import check_label_reader
from chatgenimage.testing.rules import check_rule

__all__ = [
    "CHECKS",
    "ContractBroken",
    "check_family",
    "check_identity",
    "check_label_reader",
    "check_rule",
    "same_image",
    "sample_images",
]
