"""Splits: by groups, seeded, and stable when more data comes."""

import hashlib
import math
import re
from dataclasses import dataclass

from chatgenimage.factory.errors import SettingsError

WHOLE = "train"
"""The one split of a dataset that is not split, as the hub names it."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,30}")
_ROOT_PARTS = 2


@dataclass(frozen=True, slots=True)
class Splits:
    """Shares of a dataset; what a group gets depends on the seed and the group alone.

    Attributes:
        shares: Names and shares in order; the shares add up to 1.
    """

    shares: tuple[tuple[str, float], ...] = ((WHOLE, 1.0),)
    seed: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names in order."""
        return tuple(name for name, _ in self.shares)

    def of(self, group: str) -> str:
        """Return the split of a group."""
        digest = hashlib.sha256(f"{self.seed}/{group}".encode()).digest()
        point = int.from_bytes(digest[:8], "big") / 2**64
        for name, share in self.shares[:-1]:
            if point < share:
                return name
            point -= share
        return self.shares[-1][0]

    def __str__(self) -> str:
        return ",".join(f"{name}={share:g}" for name, share in self.shares)


def group_of(run_seed: int, label: str, key: str) -> str:
    """Return the name of a candidate's family: its initial image with all that was made of it.

    The seed stands for the run: two runs that repeat each other paint the same images, which then
    fall into the same split; and so they do in any other database.

    Args:
        run_seed: Of its run.
        label: The label that was asked for.
        key: Path of its making; the initial image is the first two parts, e.g. "b0/g3".
    """
    root = "/".join(key.split("/")[:_ROOT_PARTS])
    return f"{run_seed}/{label}/{root}"


def parse_splits(text: str, seed: int = 0) -> Splits:
    """Return the splits of a text like "train=0.8,val=0.1,test=0.1".

    Raises:
        SettingsError: If it is not of this form, or the shares do not add up to 1.
    """
    shares = tuple(_parse_share(part.strip()) for part in text.split(","))
    names = [name.lower() for name, _ in shares]
    if len(set(names)) < len(names):
        raise SettingsError(f"--splits {text!r} names a split twice.")
    total = math.fsum(share for _, share in shares)
    if not math.isclose(total, 1.0, abs_tol=1e-6):
        raise SettingsError(f"the shares of --splits {text!r} add up to {total:g}, expected 1.")
    return Splits(shares, seed)


def _parse_share(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        share = float(value)
    except ValueError:
        share = math.nan
    if not _NAME.fullmatch(name) or not 0 < share <= 1:
        raise SettingsError(
            f"{text!r} is no split: expected NAME=SHARE with a share above 0 and at most 1, "
            "e.g. --splits train=0.8,val=0.1,test=0.1."
        )
    return name, share
