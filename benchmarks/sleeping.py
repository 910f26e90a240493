"""Profile of models that sleep instead of computing, and a language model on a server."""

import itertools
import json
import time
from pathlib import Path
from threading import Lock

from benchmarks.answers import BOX
from tests.loopback import Reply, says

WORDS = ("dog", "house", "car", "tree", "owl", "castle", "boat", "frog")
IMAGE_S = 0.1
SIDE_PX = 64
LANGUAGE = "language"
PAINTERS = ("diffusion", "editing")
MODELS = (*PAINTERS, "labeling", "scoring")
EACH = (LANGUAGE, *MODELS)
CHAIN = {
    "per_label": 8,
    "batch_size": 8,
    "rounds": 1,
    "scenes_per_candidate": 2,
    "placements_per_candidate": 1,
    "prompt_similarity_max": 1.0,
    "caption_nouns": False,
    "class_list": [],
}
NO_THRESHOLDS = {
    "brightest_min": 0,
    "darkest_max": 1,
    "contrast_min": 0,
    "blur_max": 1,
    "psnr_min_db": 0,
    "ssim_min": -1,
    "seam_max": 1000,
    "background_probability_min": 0,
    "duplicate_similarity_max": 1,
}
"""With these every candidate is accepted."""


class LanguageServer:
    """A language model that knows what the run asks, and notes when it is asked."""

    def __init__(self, answer_s: float) -> None:
        self.asked: list[tuple[float, float]] = []
        self._answer_s = answer_s
        self._numbers = itertools.count()
        self._lock = Lock()

    def __call__(self, request: dict[str, object]) -> Reply:
        """Answer a request after the server's time."""
        started = time.time()
        time.sleep(self._answer_s)
        reply: Reply = says(json.dumps(self._answer(request)))
        with self._lock:
            self.asked.append((started, time.time()))
        return reply

    def _answer(self, request: dict[str, object]) -> dict[str, object]:
        text = json.dumps(request)
        kind = request["response_format"]["json_schema"]["name"]  # type: ignore[index]
        number = next(self._numbers)
        match kind:
            case "features":
                return {kind: ["its shape", "its colour"]}
            case "prompts":
                label = max(WORDS, key=lambda word: text.rfind(f" {word}"))
                return {kind: [f"a {label} in view {number} of {each}" for each in range(8)]}
            case "scenes":
                return {kind: [_scene(place) for place in (f"beach {number}", f"park {number}")]}
            case _:
                return {kind: [BOX]}


def _scene(place: str) -> dict[str, object]:
    return {"background": f"a {place}", "objects": ["ball"], "description": f"It is on a {place}"}


def profile(folder: Path, url: str, max_concurrency: int) -> dict[str, object]:
    """Return a profile of families that sleep and a language model on a server."""

    def sleeping(role: str, does: str, image_s: float) -> dict[str, object]:
        """Return the settings of a family that sleeps."""
        notes = str(notes_path(folder, role))
        asked = {"does": does, "image_s": image_s, "side_px": SIDE_PX, "notes": notes}
        return {"family": "sleeping", **asked}

    server = {"model": "asked", "base_url": url, "max_concurrency": max_concurrency}
    return {
        "device": "cpu",
        "families": {
            LANGUAGE: {"family": "openai", "api_key": "none", "check_model": False, **server},
            **{role: sleeping(role, "paint", IMAGE_S) for role in PAINTERS},
            "labeling": sleeping("labeling", "label", IMAGE_S / 2),
            "scoring": sleeping("scoring", "score", IMAGE_S / 10),
        },
        "roles": {role: [role] for role in EACH},
        "chain": dict(CHAIN),
        "thresholds": dict(NO_THRESHOLDS),
    }


def notes_path(folder: Path, role: str) -> Path:
    """Return the file with the start and end of each pass of a role, one JSON list per line."""
    return folder / f"{role}.jsonl"
