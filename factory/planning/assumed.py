"""Assumptions of a plan where no earlier run of the same models has measured anything.

Each is a round number for orientation, not a measurement, and every plan that uses one says
"assumed". A small run with the same profile replaces them all by its own averages.
"""

from collections.abc import Mapping
from types import MappingProxyType

from chatgenimage.db.run_times import MeanTokens
from chatgenimage.db.states import Origin
from chatgenimage.tasks.chain import QUEUES
from chatgenimage.tasks.options import ChainOptions
from chatgenimage.workers.config import FamilyConfig
from chatgenimage.workers.llm.templates import count_characters

SHARES: Mapping[str, float] = MappingProxyType(
    {Origin.GENERATED: 0.7, Origin.EDITED: 0.6, Origin.FILLED: 0.4}
)
"""Accepted share by origin: about that of the micro models in the README."""
DENOISING_STEP_S = 0.04
"""One denoising step of a network as large as Stable Diffusion 1.5, 512 x 512 pixels, on a GPU."""
USUAL_STEPS = 50
SERVED_IMAGE_S = 15.0
"""An image that a server paints."""
REFERENCE_PX = 512 * 512
GPU_SECONDS: Mapping[str, float] = MappingProxyType(
    {"brainstorm": 5.0, "imagine": 3.0, "place": 3.0, "label": 1.0, "filter": 0.1}
)
"""Seconds of an item of the other steps, with a GPU and one question of 3 s at a time."""
DETECTOR_PASS_S = 0.15
"""One more pass of Grounding DINO over an image on a GPU."""
CHARACTERS_PER_TOKEN = 4
ANSWER_TOKENS: Mapping[str, int] = MappingProxyType(
    {"features": 150, "prompts": 50, "scenes": 90, "placements": 60}
)
"""Tokens of an answer: for features in all, for the others of each prompt, scene or placement."""
TEMPLATES: Mapping[str, str] = MappingProxyType(
    {
        "features": "visual_descriptor",
        "prompts": "aigc_creator_scene",
        "scenes": "scene_imagination",
        "placements": "box_candidates",
    }
)


def item_seconds(
    step: str, config: FamilyConfig | None, chain: ChainOptions, pixels: float
) -> float:
    """Return the assumed seconds of an item of a step on a GPU.

    Args:
        step: Its name.
        config: The diffusion model that paints in it; None: none does.
        chain: Options of the run.
        pixels: Mean number of pixels of an image.
    """
    if config is None:
        return GPU_SECONDS.get(step, 0.0)
    usual: int = getattr(config, "num_inference_steps", USUAL_STEPS)
    steps = getattr(config, "fill_num_inference_steps", usual) if step == "fill" else usual
    passes = chain.fill_predictions if step == "fill" else 1
    size = max(1.0, pixels / REFERENCE_PX)
    return float(passes * steps * DENOISING_STEP_S * size)


def question_tokens(question: str, chain: ChainOptions) -> MeanTokens:
    """Return the assumed tokens of a question: Table 1's text, and answers of usual length."""
    parts = {
        "prompts": chain.batch_size,
        "scenes": chain.scenes_per_candidate,
        "placements": chain.placements_per_candidate,
    }
    sent = count_characters(TEMPLATES[question]) / CHARACTERS_PER_TOKEN
    return MeanTokens(sent, float(ANSWER_TOKENS[question] * parts.get(question, 1)), 0)


PAINTING = tuple(step for step in QUEUES if step in {"generate", "edit", "fill"})
"""Steps in which a diffusion model paints."""
