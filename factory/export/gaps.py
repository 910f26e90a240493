"""Gaps of splits: no image, nothing of a label, or another share of the images than asked for."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from chatgenimage.factory.errors import SettingsError, SplitsIncomplete
from chatgenimage.factory.export.base import Format
from chatgenimage.factory.export.splits import TRAIN, VAL, Splits, role_of

SHOWN_LABELS = 10
MOST_OFF = 0.05
"""A share of the images may differ so much from the one asked for before it is reported."""


def describe_gaps(counts: Mapping[str, int], lacking: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield one sentence per split that has no image or lacks labels.

    Args:
        counts: Number of images of each split.
        lacking: Labels that splits lack.
    """
    for split, count in counts.items():
        if not count:
            yield f"The split {split} has no image: there are too few families of images."
        elif labels := lacking.get(split):
            yield f"The split {split} has nothing of {_shorten(labels)}."


def shares_of(counts: Mapping[str, int]) -> dict[str, float]:
    """Return the share of the images of each split, in [0, 1], with four decimals."""
    total = sum(counts.values())
    return {split: round(count / total, 4) if total else 0.0 for split, count in counts.items()}


def state_shares(counts: Mapping[str, int]) -> Iterator[str]:
    """Yield a sentence with the share of the images of each split, if there are several."""
    if len(counts) > 1:
        shares = (f"{name} {share:.1%}" for name, share in shares_of(counts).items())
        yield f"Shares of the images: {', '.join(shares)}."


def describe_shares(splits: Splits, counts: Mapping[str, int]) -> Iterator[str]:
    """Yield a sentence if a split has another share of the images than asked for.

    Args:
        splits: Those asked for.
        counts: Number of images of each split.
    """
    shares = shares_of(counts)
    if any(abs(shares[name] - asked) > MOST_OFF for name, asked in splits.shares):
        found = ", ".join(
            f"{name} {shares[name]:.0%} ({asked:.0%})" for name, asked in splits.shares
        )
        yield (
            f"Shares of the images, and those asked for: {found}. A family of images is never "
            "divided, and each split first gets each label. More images of each label bring the "
            "shares closer."
        )


def check_split_names(wanted: Format, splits: Splits) -> None:
    """Check that a format gets the splits that its trainers need.

    Raises:
        SettingsError: If train or val is missing.
    """
    missing = _roles_missing(splits.names)
    if missing and wanted.validation == "required":
        raise SettingsError(
            f"--splits {splits} has no {' and no '.join(missing)}, which the trainers of "
            f"{wanted.name} need, e.g. --splits {wanted.splits}."
        )


def describe_validation(wanted: Format, counts: Mapping[str, int]) -> Iterator[str]:
    """Yield a sentence if a format names other images as those for validation.

    Raises:
        SplitsIncomplete: If the format's trainers need images in a split that has none.
    """
    missing = _roles_missing(split for split, count in counts.items() if count)
    if missing and wanted.validation == "required":
        raise SplitsIncomplete(
            f"no image for {' and '.join(missing)}, which the trainers of {wanted.name} need: too "
            "few families of images. Nothing was written; make more images."
        )
    if VAL in missing and wanted.validation == "from train":
        yield (
            "No image is in a split val, so trainers validate on the images of train: their "
            "results are then too good."
        )


def _roles_missing(names: Iterable[str]) -> list[str]:
    found = {role_of(name) for name in names}
    return [role for role in (TRAIN, VAL) if role not in found]


def _shorten(labels: Sequence[str]) -> str:
    shown = ", ".join(labels[:SHOWN_LABELS])
    more = len(labels) - SHOWN_LABELS
    return f"{shown} and {more} more labels" if more > 0 else shown
