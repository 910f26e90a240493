"""A language model behind an OpenAI-compatible endpoint, asked with the paper's prompts.

Table 1's texts lie in `prompts/`. Answers come by JSON schema where the server can do that, and
in Table 1's own loose format where it cannot; both are read, repaired, or asked for again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

from chatgenimage.workers.interfaces import LlmCache
from chatgenimage.workers.llm import schemas
from chatgenimage.workers.llm.box_units import REFERENCE_SIZE_WH, placements_problem, to_reference
from chatgenimage.workers.llm.conversation import AnswerDoubtful, Question, ask_once
from chatgenimage.workers.llm.endpoint import Endpoint
from chatgenimage.workers.llm.parsing import (
    parse_features,
    parse_placements,
    parse_prompts,
    parse_scenes,
)
from chatgenimage.workers.llm.templates import Message, check_templates, fill_template
from chatgenimage.workers.server_config import OpenAiConfig
from chatgenimage.workers.values import (
    Answer,
    BoxXyxy,
    Detection,
    ImaginedScene,
    ModelIdentity,
    ProposedObject,
    T,
)

VARIATION = (
    " This is set {number} of such prompts: make them unlike those of the other sets, for example "
    "{circumstance}."
)
CIRCUMSTANCES = (
    *("at night", "in snow", "in a forest", "in heavy rain", "at sunrise", "on a coast", "in fog"),
    *("in a busy street", "indoors", "in a desert", "in autumn", "in high mountains", "at dusk"),
    *("in a garden", "by a river", "under a stormy sky"),
)
"""Less common but predictable circumstances (section 1); the first three are the paper's own."""
LENGTH = " Each prompt should have at most {words} words."
DOMAIN_VARIATION = (
    " This is set {number} of such prompts: make them unlike those of the other sets."
)
"""A circumstance could contradict the domain."""
DOMAIN_OF_PROMPTS = " Every scene is {domain}: each prompt must say so near its beginning."
DOMAIN_OF_SCENES = (
    " Every scene is {domain}: each background and each description must show and name that."
)
AVOIDANCE = " Make them unlike these, which exist already:"
OTHER_BACKGROUNDS = " Choose other backgrounds than these, which exist already:"
MOST_AVOIDED = 20


class OpenAiLanguageModel:
    """Family `openai`: satisfies LanguageModel."""

    def __init__(
        self, endpoint: Endpoint, config: OpenAiConfig, memory: LlmCache | None = None
    ) -> None:
        self._endpoint = endpoint
        self._config = config
        self._memory = memory
        settings = {
            "host": endpoint.host,
            "temperature": config.temperature,
            "max_tokens": config.max_tokens,
        }
        self._folder = Path(config.prompts_folder) if config.prompts_folder else None
        if self._folder is not None:
            settings["prompts"] = check_templates(self._folder)
        if config.max_prompt_words is not None:
            settings["max_prompt_words"] = config.max_prompt_words
        self.identity = ModelIdentity("openai", config.model, config.model, settings)

    @classmethod
    def load(cls, config: OpenAiConfig, memory: LlmCache | None = None) -> Self:
        """Return the model; nothing is asked yet.

        Args:
            config: Names server and model.
            memory: Where answers are kept, so that no request is paid for twice.

        Raises:
            CheckpointNotFound: If there is neither a key nor a server of one's own.
        """
        return cls(Endpoint.connect(config), config, memory)

    @property
    def concurrency(self) -> int:
        """Return how many more requests the server takes now, as far as is known; at least 1."""
        return self._endpoint.concurrency

    def describe_features(self, label: str, *, seed: int) -> Answer[tuple[str, ...]]:
        """Return visual features of `label` (Visual Descriptor)."""
        messages = self._fill("visual_descriptor", {"category name": label})
        question = Question("features", messages, schemas.features(), parse_features, seed)
        return self._ask(question)

    def write_prompts(  # noqa: PLR0913 (the question has that many parts)
        self,
        label: str,
        features: Sequence[str],
        count: int,
        *,
        mode: str,
        variation: int = 0,
        domain: str | None = None,
        avoid: Sequence[str] = (),
        seed: int,
    ) -> Answer[tuple[str, ...]]:
        """Return 1 to `count` prompts (AIGC Creator).

        Set 0 is asked for in the paper's words alone. Later ones add a sentence: at temperature 0
        the same question would have the same answer. So do a domain and a list of what to avoid.
        """
        slots = {
            "prompt number": str(count),
            "label word": label,
            "visual feature": ", ".join(features) or "its typical features",
        }
        longest = self._config.max_prompt_words
        wish = _in_domain(DOMAIN_OF_PROMPTS, domain) + _shorten(longest)
        wish += _vary(variation, domain) + _avoid(AVOIDANCE, avoid)
        messages = _add(self._fill(f"aigc_creator_{mode}", slots), wish)

        def parse(text: str) -> tuple[str, ...]:
            """Return the prompts of an answer."""
            return parse_prompts(text, label, count, longest)

        return self._ask(Question("prompts", messages, schemas.prompts(count), parse, seed))

    def imagine_scenes(  # noqa: PLR0913 (the question has that many parts)
        self,
        caption: str,
        objects: Sequence[str],
        count: int,
        *,
        domain: str | None = None,
        avoid: Sequence[str] = (),
        seed: int,
    ) -> Answer[tuple[ImaginedScene, ...]]:
        """Return 1 to `count` scenes (Scene Imagination)."""
        existing = list(dict.fromkeys(objects))
        slots = {
            "scene number": str(count),
            "caption": caption,
            "exist objects": ", ".join(existing) or "no exist objects",
        }
        wish = _in_domain(DOMAIN_OF_SCENES, domain) + _avoid(OTHER_BACKGROUNDS, avoid)
        messages = _add(self._fill("scene_imagination", slots), wish)

        def parse(text: str) -> tuple[ImaginedScene, ...]:
            """Return the scenes of an answer."""
            return parse_scenes(text, existing, count)

        return self._ask(Question("scenes", messages, schemas.scenes(count), parse, seed))

    def place_objects(  # noqa: PLR0913 (the question has that many parts)
        self,
        caption: str,
        existing: Sequence[Detection],
        targets: Sequence[str],
        count: int,
        *,
        size_wh: tuple[int, int],
        seed: int,
    ) -> Answer[tuple[ProposedObject, ...]]:
        """Return up to `count` placements (Box Candidates Generation, which speaks of 512 px)."""
        slots = {
            "prompt number": str(count),
            "caption": caption,
            "existing boxes info": _boxes_info(existing, size_wh),
            "target objects": ", ".join(targets),
        }
        messages = self._fill("box_candidates", slots)
        there = [_rescale(found.box_xyxy, size_wh, REFERENCE_SIZE_WH) for found in existing]

        def parse(text: str) -> tuple[ProposedObject, ...]:
            """Return the placements in pixels of the image."""
            placements = parse_placements(text, targets, count)
            boxes = to_reference([placement.box_xyxy for placement in placements])
            placed = tuple(
                replace(placement, box_xyxy=_rescale(box, REFERENCE_SIZE_WH, size_wh))
                for placement, box in zip(placements, boxes, strict=True)
            )
            if problem := placements_problem(boxes, there):
                raise AnswerDoubtful(problem, placed)
            return placed

        schema = schemas.placements(targets, count)
        return self._ask(Question("placements", messages, schema, parse, seed))

    def _fill(self, name: str, slots: Mapping[str, str]) -> tuple[Message, ...]:
        return fill_template(name, slots, self._folder)

    def _ask(self, question: Question[T]) -> Answer[T]:
        return ask_once(self._endpoint, self._config, self._memory, question)


def _shorten(most_words: int | None) -> str:
    """Return a request for short prompts; "" for the paper's words alone."""
    return "" if most_words is None else LENGTH.format(words=most_words)


def _in_domain(wish: str, domain: str | None) -> str:
    """Return a request for scenes of the domain; "" without one."""
    return "" if domain is None else wish.format(domain=domain)


def _vary(variation: int, domain: str | None) -> str:
    """Return a sentence that makes each set's question a different one; "" for the first set."""
    if variation == 0:
        return ""
    if domain is not None:
        return DOMAIN_VARIATION.format(number=variation + 1)
    circumstance = CIRCUMSTANCES[(variation - 1) % len(CIRCUMSTANCES)]
    return VARIATION.format(number=variation + 1, circumstance=circumstance)


def _avoid(wish: str, texts: Sequence[str]) -> str:
    """Return a request to avoid the texts, of which the first 20 are listed."""
    listed = "".join(f"\n- {text}" for text in texts[:MOST_AVOIDED])
    return f"{wish}{listed}" if listed else ""


def _add(messages: tuple[Message, ...], wish: str) -> tuple[Message, ...]:
    """Return the conversation with a wish behind its last question."""
    question = messages[-1]
    return (*messages[:-1], {**question, "content": question["content"] + wish})


def _boxes_info(existing: Sequence[Detection], size_wh: tuple[int, int]) -> str:
    """Return the existing boxes as Table 1's demonstration writes them."""
    return ", ".join(
        f'"value": {number}, "label": "{detection.label}", "logit": {detection.confidence:.2f}, '
        f'"box": [{_edges(_rescale(detection.box_xyxy, size_wh, REFERENCE_SIZE_WH))}]'
        for number, detection in enumerate(existing, start=1)
    )


def _edges(box_xyxy: BoxXyxy) -> str:
    return ", ".join(f"{edge:.2f}" for edge in box_xyxy)


def _rescale(box_xyxy: BoxXyxy, from_wh: tuple[int, int], to_wh: tuple[int, int]) -> BoxXyxy:
    x_scale, y_scale = to_wh[0] / from_wh[0], to_wh[1] / from_wh[1]
    x_min, y_min, x_max, y_max = box_xyxy
    return (x_min * x_scale, y_min * y_scale, x_max * x_scale, y_max * y_scale)
