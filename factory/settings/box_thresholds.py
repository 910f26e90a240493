"""Check of a profile's box thresholds by class: none is below that of the detector."""

from collections.abc import Iterable, Mapping

from pydantic import BaseModel


def find_unreachable(by_class: Mapping[str, float], families: Iterable[BaseModel]) -> str | None:
    """Return the problem of the first threshold that would have no effect, None if there is none.

    Args:
        by_class: Minimum confidence of a box, in [0, 1], by class.
        families: Settings of all families; a detector without `box_threshold` has no minimum.
    """
    detectors = [getattr(one, "box_threshold", None) for one in families]
    least = min((one for one in detectors if one is not None), default=0.0)
    for name, threshold in by_class.items():
        if threshold < least:
            return (
                f"chain.box_thresholds of {name!r} is {threshold:g}, but the detector returns no "
                f"box below its box_threshold of {least:g}: lower that one first"
            )
    return None
