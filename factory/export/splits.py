"""Splits: by group, seeded, and stable when data is added."""

import hashlib
import math
import re
from dataclasses import dataclass

from chatgenimage.factory.errors import SettingsError

WHOLE = "train"
"""Name of the only split of a dataset without splits, as on the hub."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,30}")
_ROOT_PARTS = 2


@dataclass(frozen=True, slots=True)
class Splits:
    """Shares of a dataset; a group's split depends only on the seed and the group.

    Attributes:
        shares: Names and shares in order; the shares sum to 1.
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
    """Return the name of a candidate's group: its initial image and everything derived from it.

    The seed represents the run: two runs with equal requests generate the same images, which then
    get the same split, also in another database.

    Args:
        run_seed: Seed of its run.
        label: The requested label.
        key: Key of the candidate; its first two parts name the initial image, e.g. "b0/g3".
    """
    root = "/".join(key.split("/")[:_ROOT_PARTS])
    return f"{run_seed}/{label}/{root}"


def parse_splits(text: str, seed: int = 0) -> Splits:
    """Return the splits of a text like "train=0.8,val=0.1,test=0.1".

    Raises:
        SettingsError: If it is malformed, or the shares do not sum to 1.
    """
    shares = tuple(_parse_share(part.strip()) for part in text.split(","))
    names = [name.lower() for name, _ in shares]
    if len(set(names)) < len(names):
        raise SettingsError(f"--splits {text!r} names a split twice.")
    total = math.fsum(share for _, share in shares)
    if not math.isclose(total, 1.0, abs_tol=1e-6):
        raise SettingsError(f"the shares of --splits {text!r} sum to {total:g}, expected 1.")
    return Splits(shares, seed)


def _parse_share(text: str) -> tuple[str, float]:
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
