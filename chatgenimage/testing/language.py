"""Contract checks of language models; the words are those that every rule book knows."""

from chatgenimage.testing.contract import require
from chatgenimage.workers.interfaces import LanguageModel
from chatgenimage.workers.values import Detection

LABEL, TARGET, CAPTION = "dog", "ball", "a dog in a room"
DOG = Detection(LABEL, 0.9, (4.0, 4.0, 24.0, 24.0))
SIZE_WH = (64, 64)
MOST = 3


def check_features(model: LanguageModel) -> None:
    """Features are short texts without spaces around them, and the exchange is in the answer."""
    answer = model.describe_features(LABEL, seed=1)
    require(answer.value, "there is no feature")
    for feature in answer.value:
        require(feature == feature.strip() != "", f"{feature!r} is empty or has spaces around it")
    require(answer.exchanges, "the answer has no exchange: nothing could be counted or repeated")


def check_prompts(model: LanguageModel) -> None:
    """One to as many prompts as were asked for, all different, for both modes."""
    for mode in ("scene", "object"):
        prompts = model.write_prompts(LABEL, ["golden fur"], MOST, mode=mode, seed=1).value
        require(1 <= len(prompts) <= MOST, f"{len(prompts)} prompts; expected 1 to {MOST}")
        require(len(set(prompts)) == len(prompts), f"a prompt is there twice: {prompts}")
        require(all(LABEL in prompt for prompt in prompts), f"one has no {LABEL}: {prompts}")


def check_scenes(model: LanguageModel) -> None:
    """One to as many scenes as were asked for, with background, description and the dog."""
    scenes = model.imagine_scenes(CAPTION, [LABEL], MOST, seed=1).value
    require(1 <= len(scenes) <= MOST, f"{len(scenes)} scenes; expected 1 to {MOST}")
    for scene in scenes:
        require(scene.background and scene.description, f"a part is empty: {scene}")
        require(scene.objects[:1] == (LABEL,), f"{scene.objects} does not begin with {LABEL}")


def check_placements(model: LanguageModel) -> None:
    """One to as many placements as were asked for: targets with boxes in pixels of the image."""
    placements = model.place_objects(CAPTION, [DOG], [TARGET], MOST, size_wh=SIZE_WH, seed=1).value
    require(1 <= len(placements) <= MOST, f"{len(placements)} places; expected 1 to {MOST}")
    for placed in placements:
        require(placed.label == TARGET, f"{placed.label!r} was not asked for")
        is_clean = placed.relationship == placed.relationship.strip(" .") != ""
        require(is_clean, f"the relationship is {placed.relationship!r}")
        inside = all(0 <= edge <= max(SIZE_WH) for edge in placed.box_xyxy)
        require(inside, f"the box {placed.box_xyxy} is not in pixels of {SIZE_WH}")


def check_concurrency(model: LanguageModel) -> None:
    """It takes at least one request now."""
    require(model.concurrency >= 1, f"the concurrency is {model.concurrency}; expected 1 or more")
