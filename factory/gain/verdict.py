"""Verdict of a measurement in sentences: gain by domain, by origin and by class."""

import math
from collections.abc import Iterator, Sequence

from chatgenimage.factory.gain.arms import (
    BOTH,
    BOTH_AUGMENTED,
    BOTH_MILD,
    FILTER_OFF,
    REAL,
    REAL_AUGMENTED,
    REAL_MILD,
    REPEATED,
    SYNTHETIC,
    SYNTHETIC_AUGMENTED,
    SYNTHETIC_MILD,
    Kind,
)
from chatgenimage.factory.gain.result import ArmFacts, GainResult
from chatgenimage.factory.gain.statistics import Interval

LEAST_DOMAINS = 2
WITHOUT_SYNTHETIC = (REAL, REAL_MILD, REAL_AUGMENTED)
POINTS = 100
"""Points are hundredths: a gain of 0.061 is 6.1 points."""


def find_contest(result: GainResult) -> tuple[str, str] | None:
    """Return the best arm with synthetic images and the best without; None if one is missing."""
    ours = result.best_of(BOTH, BOTH_MILD, BOTH_AUGMENTED)
    base = result.best_of(*WITHOUT_SYNTHETIC)
    return None if ours is None or base is None else (ours, base)


def state_gain(result: GainResult) -> str:
    """Return the verdict in one sentence, e.g. "The synthetic images add 6.1 +- 1.9 mAP50"."""
    contest = find_contest(result)
    if contest is None:
        return _without_contest(result)
    whole = result.difference(*contest)
    if whole is None:
        return "Nothing can be compared: no seed has finished all arms."
    parts = [_clause(result, whole), *_domain_clauses(result)]
    ours, base = contest
    return f"The synthetic images {'; '.join(parts)} ({ours}, compared with {base})."


def explain_origins(result: GainResult) -> list[str]:
    """Return a sentence for each origin: the gain of equally many images of it."""
    base = REAL if result.has_arm(REAL) else None
    sentences = []
    for arm in result.arms_of(Kind.ORIGIN):
        if base is None:
            if (found := result.interval(arm.name)) is not None:
                sentences.append(f"{arm.synthetic} {arm.source} images alone: {points(found)}.")
        elif (gain := result.difference(arm.name, base)) is not None:
            sentences.append(f"{arm.synthetic} {arm.source} images {_clause(result, gain)}.")
    return sentences


def explain_controls(result: GainResult) -> list[str]:
    """Return a sentence for each control."""
    sentences = []
    for arm, base, sentence in (
        (REPEATED, REAL, "The real images, repeated to the same number, {}."),
        (SYNTHETIC, FILTER_OFF, "The filters, compared with training on all candidates, {}."),
        (SYNTHETIC, REAL, "The synthetic images alone, compared with the real images alone, {}."),
    ):
        if (gain := result.difference(arm, base)) is not None:
            sentences.append(sentence.format(_clause(result, gain)))
    return sentences


def list_harmed(result: GainResult) -> list[tuple[str, Interval]]:
    """Return the classes that the synthetic images make worse, with their differences."""
    return [(label, gain) for label, gain in class_gains(result) if gain.is_negative]


def class_gains(result: GainResult) -> list[tuple[str, Interval]]:
    """Return the gain of each class that is in the test set."""
    if (contest := find_contest(result)) is None:
        return []
    gains = [(label, result.difference(*contest, label=label)) for label in result.classes]
    return [(label, gain) for label, gain in gains if gain is not None]


def domain_gains(result: GainResult) -> list[tuple[str, Interval]]:
    """Return the gain of each domain; empty if the test set has one domain only."""
    contest = find_contest(result)
    if contest is None or len(result.domains) < LEAST_DOMAINS:
        return []
    gains = [(name, result.difference(*contest, domain=name)) for name in result.domains]
    return [(name, gain) for name, gain in gains if gain is not None]


def points(interval: Interval, *, signed: bool = False) -> str:
    """Return an interval in points, e.g. "6.1 +- 1.9"."""
    mean = f"{POINTS * interval.mean:{'+' if signed else ''}.1f}"
    if math.isinf(interval.half_width):
        return f"{mean} (one seed: no interval)"
    return f"{mean} ± {POINTS * interval.half_width:.1f}"


def order_arms(result: GainResult) -> Sequence[ArmFacts]:
    """Return the arms by kind, then as planned."""
    return result.arms_of(Kind.MAIN) + result.arms_of(Kind.CONTROL, Kind.CURVE, Kind.ORIGIN)


def _without_contest(result: GainResult) -> str:
    ours = result.best_of(SYNTHETIC, SYNTHETIC_MILD, SYNTHETIC_AUGMENTED)
    found = None if ours is None else result.interval(ours)
    if found is None:
        return "Nothing can be compared: the arms have no real or no synthetic images."
    return (
        f"The synthetic images alone reach {points(found)} {result.metric} ({ours}); "
        "without a real training set there is nothing to compare them with."
    )


def _domain_clauses(result: GainResult) -> Iterator[str]:
    """Yield a clause for each domain with a certain gain or loss, then one for all others."""
    unclear = []
    for domain, gain in domain_gains(result):
        name = domain or "the others"
        if gain.is_positive or gain.is_negative:
            yield f"{_clause(result, gain)} on {name}"
        else:
            unclear.append(name)
    if unclear:
        yield f"nothing certain on {', '.join(unclear)}"


def _clause(result: GainResult, gain: Interval) -> str:
    size = points(Interval(abs(gain.mean), gain.half_width, gain.count))
    if gain.is_positive:
        return f"add {size} {result.metric}"
    if gain.is_negative:
        return f"cost {size} {result.metric}"
    return f"make no measurable difference ({points(gain, signed=True)} {result.metric})"
