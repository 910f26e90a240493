"""Seconds of a step's items from the trials of its models (`factory models check`)."""

from collections.abc import Mapping, Sequence

from chatgenimage.factory.checkpoints.trial_times import TrialTime
from chatgenimage.factory.planning.searching import extra_passes
from chatgenimage.factory.settings.model import Settings
from chatgenimage.tasks.chain import QUEUES
from chatgenimage.tasks.resources import KEYS
from chatgenimage.workers import interfaces

OWN_KEYS: Mapping[str, str] = {
    "features": KEYS[interfaces.LanguageModel],
    "generate": KEYS[interfaces.ImageGenerator],
    "fill": KEYS[interfaces.ObjectFiller],
    "edit": KEYS[interfaces.BackgroundEditor],
    "caption": KEYS[interfaces.Captioner],
    "find": KEYS[interfaces.DetectorSegmenter],
    "detect": KEYS[interfaces.Detector],
    "segment": KEYS[interfaces.Segmenter],
    "embed": KEYS[interfaces.ImageTextEncoder],
    "ask": KEYS[interfaces.VisualJudge],
}
"""Key of the family that is preferred for a capability."""
LANGUAGE_QUESTIONS: Mapping[str, int] = {"brainstorm": 2, "imagine": 1, "place": 1}
"""Questions of an item, each of which takes about as long as the one of a trial."""


def checked_seconds(settings: Settings, step: str, trials: Mapping[str, TrialTime]) -> float | None:
    """Return the seconds of an item of a step; None if not all its models were tried.

    Args:
        settings: The profile.
        step: Its name.
        trials: Times by the models' names in the profile.
    """
    keys = settings.roles.get(QUEUES[step], ())
    if any(key not in trials for key in keys):
        return None
    times = [
        None if seconds is None else number * seconds
        for name, number in _work_of(settings, step, keys, trials).items()
        for seconds in [_seconds_of(name, keys, trials)]
    ]
    known = [each for each in times if each is not None]
    return sum(known) if known and len(known) == len(times) else None


def detector_seconds(settings: Settings, trials: Mapping[str, TrialTime]) -> float | None:
    """Return the seconds of one pass of the detector over an image; None if it was not tried."""
    key = KEYS[interfaces.Detector]
    if key not in settings.roles.get(QUEUES["label"], ()) or key not in trials:
        return None
    seconds = trials[key].seconds
    return seconds.get("find", seconds.get("detect"))


def _work_of(
    settings: Settings, step: str, keys: Sequence[str], trials: Mapping[str, TrialTime]
) -> dict[str, int]:
    """Return how often an item of a step needs each capability."""
    able = {name for key in keys for name in trials[key].seconds}
    match step:
        case "generate" | "edit":
            return {step: 1}
        case "fill":
            return {"fill": settings.chain.fill_predictions}
        case "label":
            finding = "find" if "find" in able else "detect"
            has_masks = finding == "detect" and "segment" in able
            work = {"caption": 1, finding: 1 + extra_passes(settings)}
            return work | ({"segment": 1} if has_masks else {})
        case "filter":
            judges = OWN_KEYS["ask"] in keys
            asked = {"ask": len(settings.chain.visual_checks)} if judges else {}
            return {"embed": 1} | asked
        case _:
            return {"features": LANGUAGE_QUESTIONS[step]}


def _seconds_of(name: str, keys: Sequence[str], trials: Mapping[str, TrialTime]) -> float | None:
    """Return the seconds of a capability: of the model under its own key, else of the first."""
    own = OWN_KEYS[name]
    if own in keys and name in trials[own].seconds:
        return trials[own].seconds[name]
    return next((trials[key].seconds[name] for key in keys if name in trials[key].seconds), None)
