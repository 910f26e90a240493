"""Contract checks of families: one function for each capability, and one that calls all that apply.

The tests of the factory's own families call the same functions.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from chatgenimage.testing import language, painting, reading
from chatgenimage.testing.contract import require
from chatgenimage.workers import interfaces
from chatgenimage.workers.interfaces import Family

CHECKS: Mapping[type, tuple[Callable[[Any], None], ...]] = {
    interfaces.LanguageModel: (
        language.check_concurrency,
        language.check_features,
        language.check_prompts,
        language.check_scenes,
        language.check_placements,
    ),
    interfaces.ImageGenerator: (
        painting.check_generated_images,
        painting.check_generator_is_repeatable,
        painting.check_generator_without_prompts,
    ),
    interfaces.OptionsGenerator: (
        painting.check_generator_follows_sizes,
        painting.check_generator_follows_negative_prompts,
    ),
    interfaces.BackgroundEditor: (
        painting.check_edited_sizes,
        painting.check_editor_is_repeatable,
        painting.check_editor_without_images,
    ),
    interfaces.ObjectFiller: (
        painting.check_fill_changes_only_the_mask,
        painting.check_filler_is_repeatable,
        painting.check_filler_without_images,
    ),
    interfaces.Captioner: (
        reading.check_captions,
        reading.check_captioner_is_repeatable,
        reading.check_captioner_without_images,
    ),
    interfaces.VisualJudge: (
        reading.check_answers,
        reading.check_judge_is_repeatable,
        reading.check_judge_without_images,
    ),
    interfaces.Detector: (
        reading.check_detections,
        reading.check_detector_is_repeatable,
        reading.check_detector_without_labels,
    ),
    interfaces.DetectorSegmenter: (
        reading.check_objects_with_masks,
        reading.check_finder_without_labels,
    ),
    interfaces.Segmenter: (
        reading.check_masks,
        reading.check_segmenter_is_repeatable,
        reading.check_segmenter_without_boxes,
    ),
    interfaces.ImageTextEncoder: (
        reading.check_unit_vectors,
        reading.check_encoder_is_repeatable,
        reading.check_encoder_without_input,
    ),
}
"""Checks of each capability; each takes a loaded family."""


def check_family(family: Family) -> list[str]:
    """Check everything that a family can do; return the names of its capabilities.

    Args:
        family: Loaded. Models should be tiny and take few steps: it is called about 20 times.

    Raises:
        ContractBroken: If something is not as the protocol says.
    """
    check_identity(family)
    for capability in CHECKS:
        _check_is_whole(family, capability)
    able = [capability for capability in CHECKS if isinstance(family, capability)]
    require(able, "it has no known capability")
    for capability in able:
        for check in CHECKS[capability]:
            check(family)
    return [capability.__name__ for capability in able]


def check_identity(family: Family) -> None:
    """Check that a family names its weights, and settings that can be stored as JSON."""
    identity = family.identity
    require(identity.family and identity.checkpoint, "the identity has an empty name")
    require(identity.revision, "the identity has no revision: replay could not tell it changed")
    stored = json.loads(json.dumps(identity.settings))
    require(stored == identity.settings, "the settings of the identity change as JSON")
    twice = {"family", "checkpoint", "revision"} & identity.settings.keys()
    require(not twice, f"the settings of the identity repeat {sorted(twice)}")


def _check_is_whole(family: Family, capability: type) -> None:
    """Check that a family has all methods of a capability, or none."""
    names = [name for name in vars(capability) if not name.startswith("_")]
    missing = [name for name in names if not hasattr(family, name)]
    is_whole = not missing or len(missing) == len(names)
    require(is_whole, f"{capability.__name__} needs {', '.join(missing)} too")
