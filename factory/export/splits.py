"""Splits: names and shares of the parts of a dataset, and the place of a family among them."""

import hashlib
import math
import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cache
from itertools import accumulate

from chatgenimage.factory.errors import SettingsError

TRAIN, VAL, TEST = "train", "val", "test"
WHOLE = TRAIN
"""Name of the only split of a dataset without splits, as on the hub."""

ROLES = {TRAIN: TRAIN, VAL: VAL, "valid": VAL, "validation": VAL, TEST: TEST}
"""What a split is for, by its name in small letters."""

POINTS = 2**64
"""Points are integers from 0 to this number, exclusive."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,30}")


@dataclass(frozen=True, slots=True)
class Splits:
    """Shares of a dataset: each split has a range of points, and a family has one point.

    Attributes:
        shares: Names and shares in order; the shares sum to 1.
    """

    shares: tuple[tuple[str, float], ...] = ((WHOLE, 1.0),)
    seed: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names in order."""
        return tuple(name for name, _ in self.shares)

    def by_share(self) -> tuple[str, ...]:
        """Return the names, largest share first."""
        return tuple(name for name, _ in sorted(self.shares, key=lambda pair: -pair[1]))

    def point_of(self, root_sha256: str) -> int:
        """Return the point of a family: it depends on the seed and the root's image alone."""
        digest = hashlib.sha256(f"{self.seed}/{root_sha256}".encode()).digest()
        return int.from_bytes(digest[:8], "big")

    def at(self, point: int) -> str:
        """Return the split whose range has a point."""
        number = bisect_right(_ends(self.shares), point)
        return self.shares[min(number, len(self.shares) - 1)][0]

    def distance(self, point: int, name: str) -> int:
        """Return how far a point is from the range of a split that does not have it."""
        ends = _ends(self.shares)
        number = self.names.index(name)
        start = ends[number - 1] if number else 0
        return min(abs(point - start), abs(point - ends[number]))

    def __str__(self) -> str:
        return ",".join(f"{name}={share:g}" for name, share in self.shares)


@cache
def _ends(shares: tuple[tuple[str, float], ...]) -> list[int]:
    """Return where each split's range ends."""
    return [round(POINTS * total) for total in accumulate(share for _, share in shares)]


def role_of(name: str) -> str | None:
    """Return what a split is for: train, val, test, or None for a name of another kind."""
    return ROLES.get(name.lower())


def usual_name(name: str, val: str = VAL) -> str:
    """Return the name that a trainer expects: `val` is its name for validation."""
    role = role_of(name)
    return val if role == VAL else role or name


def parse_splits(text: str, seed: int = 0) -> Splits:
    """Return the splits of a text like "train=0.8,val=0.1,test=0.1".

    Raises:
        SettingsError: If it is malformed, or the shares do not sum to 1.
    """
    shares = tuple(_parse_share(part.strip()) for part in text.split(","))
    # val, valid and validation are one split: a trainer's layout has one name for it.
    names = [role_of(name) or name.lower() for name, _ in shares]
    if len(set(names)) < len(names):
        raise SettingsError(f"--splits {text!r} names a split twice.")
    total = math.fsum(share for _, share in shares)
    if not math.isclose(total, 1.0, abs_tol=1e-6):
        raise SettingsError(f"the shares of --splits {text!r} sum to {total:g}, expected 1.")
    return Splits(shares, seed)


def _parse_share(text: str) -> tuple[str, float]:
    """Return name and share of a text such as "train=0.8".

    Raises:
        SettingsError: If it is malformed, or the share is not above 0 and at most 1.
    """
    name, _, value = text.partition("=")
    try:
        share = float(value)
    except ValueError:
        share = math.nan
    if not _NAME.fullmatch(name) or not 0 < share <= 1:
        raise SettingsError(
            f"{text!r} is not a split: expected NAME=SHARE with a share above 0 and at most 1, "
            "e.g. --splits train=0.8,val=0.1,test=0.1."
        )
    return name, share
