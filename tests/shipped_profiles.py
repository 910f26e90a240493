"""The profiles for real models, as shipped, with tiny random weights under the published names.

Their files are read as they are. The environment changes what a computer without a GPU cannot do,
as an operator would change it: the device, sizes and steps. Random weights find nothing where it
should be, so the thresholds let everything pass, and every box counts.
"""

import json

import yaml

from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.settings.profiles import find_profile
from chatgenimage.workers.device import settle_dtype
from tests.contract.tiny_hub import write_hub

SIDE_PX = 64
PASSING = {
    "brightest_min": 0,
    "darkest_max": 1,
    "contrast_min": 0,
    "blur_max": 1,
    "psnr_min_db": 0,
    "ssim_min": -1,
    "seam_max": 255,
    "clip_similarity_min": -1,
    "background_probability_min": 0,
    "object_kept_iou_min": 0,
    "fill_iou_min": 0,
    "label_confidence_min": 0,
    "duplicate_similarity_max": 1,
}
SMALL: dict[str, dict[str, object]] = {
    "text_to_image": {
        "size_wh": [SIDE_PX, SIDE_PX],
        "num_inference_steps": 2,
        "fill_num_inference_steps": 2,
    },
    "instruction_edit": {"num_inference_steps": 2},
    "openai_images": {"size": f"{SIDE_PX}x{SIDE_PX}"},
    "vision_language": {"max_new_tokens": 8},
    "zero_shot_detector": {"box_threshold": 0},
    "grounding_dino": {"box_threshold": 0},
}


def families_in(profile):
    """Return the families of a profile's file, by their names in it."""
    return yaml.safe_load(find_profile(profile).read_text(encoding="utf-8"))["families"]


def write_weights(cache, *profiles):
    """Write what the profiles need from the hub into a folder like its cache."""
    families = [family for profile in profiles for family in families_in(profile).values()]
    named = [family for family in families if "checkpoint" in family]
    write_hub(
        cache,
        [
            (family["checkpoint"], family.get("revision"))
            for family in named
            if not family["checkpoint"].endswith(".pth")
        ],
    )


def environment_of(profile, server):
    """Return variables that make a profile small, and name a language server."""
    changed = {
        name: SMALL.get(family["family"], {}) for name, family in families_in(profile).items()
    }
    variables = {
        f"FACTORY_FAMILIES__{name.upper()}__{key.upper()}": json.dumps(value).strip('"')
        for name, settings in changed.items()
        for key, value in settings.items()
    }
    variables |= {f"FACTORY_THRESHOLDS__{key.upper()}": str(v) for key, v in PASSING.items()}
    asked = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "sk-a"}
    return variables | asked | {"FACTORY_DEVICE": "cpu"}


def precision_of(profile):
    """Return variables that set each model's precision to what `auto` is on a GPU."""
    return {
        f"FACTORY_FAMILIES__{name.upper()}__DTYPE": settle_dtype("auto", "cuda", config.HALF)
        for name, config in load_settings(profile).families.items()
        if getattr(config, "dtype", None) == "auto"
    }
