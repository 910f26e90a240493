"""A language model behind an OpenAI-compatible endpoint, asked with the paper's prompts.

Table 1's texts lie in `prompts/`. Answers come by JSON schema where the server can do that, and
in Table 1's own loose format where it cannot; both are read, mended, or asked for again.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Self

from chatgenimage.workers.boxes import REFERENCE_SIDE_PX
from chatgenimage.workers.config import OpenAiConfig
from chatgenimage.workers.errors import AnswerRefused, ConversationFailed
from chatgenimage.workers.interfaces import AnswerMemory
from chatgenimage.workers.llm import schemas
from chatgenimage.workers.llm.endpoint import Endpoint
from chatgenimage.workers.llm.parsing import (
    parse_features,
    parse_placements,
    parse_prompts,
    parse_scenes,
)
from chatgenimage.workers.llm.schemas import Schema
from chatgenimage.workers.llm.templates import Message, fill
from chatgenimage.workers.values import (
    Answer,
    BoxXyxy,
    Detection,
    Exchange,
    ModelIdentity,
    Placement,
    Scene,
    T,
)

REFERENCE_SIZE_WH = (REFERENCE_SIDE_PX, REFERENCE_SIDE_PX)
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
AVOIDANCE = " Make them unlike these, which exist already:"
MOST_AVOIDED = 20
COMPLAINT = (
    "This result cannot be used: {problem}. Return the whole result again in the requested format."
)


class OpenAiLanguageModel:
    """Family `openai`: satisfies LanguageModel."""

    def __init__(
        self, endpoint: Endpoint, config: OpenAiConfig, memory: AnswerMemory | None = None
    ) -> None:
        self._endpoint = endpoint
        self._config = config
        self._memory = memory if config.reuse_answers else None
        settings = {
            "host": endpoint.host,
            "temperature": config.temperature,
            "max_tokens": config.max_tokens,
        }
        self.identity = ModelIdentity("openai", config.model, config.model, settings)

    @classmethod
    def load(cls, config: OpenAiConfig, memory: AnswerMemory | None = None) -> Self:
        """Return the model; nothing is asked yet.

        Args:
            config: Names server and model.
            memory: Where answers are kept, so that no request is paid for twice.

        Raises:
            CheckpointNotFound: If there is neither a key nor a server of one's own.
        """
        return cls(Endpoint.connect(config), config, memory)

    def describe_features(self, label: str, *, seed: int) -> Answer[tuple[str, ...]]:
        """Return visual features of `label` (Visual Descriptor)."""
        messages = fill("visual_descriptor", {"category name": label})
        return self._ask("features", messages, schemas.features(), parse_features, seed)

    def write_prompts(  # noqa: PLR0913 (the question has that many parts)
        self,
        label: str,
        features: Sequence[str],
        count: int,
        *,
        mode: str,
        variation: int = 0,
        avoid: Sequence[str] = (),
        seed: int,
    ) -> Answer[tuple[str, ...]]:
        """Return `count` prompts (AIGC Creator).

        Set 0 is asked for in the paper's words alone. Later ones add a sentence: at temperature 0
        the same question would have the same answer. So does a list of what to avoid.
        """
        slots = {
            "prompt number": str(count),
            "label word": label,
            "visual feature": ", ".join(features) or "its typical features",
        }
        wish = _vary(variation) + _avoid(avoid)
        messages = _add(fill(f"aigc_creator_{mode}", slots), wish)

        def parse(text: str) -> tuple[str, ...]:
            return parse_prompts(text, label, count)

        return self._ask("prompts", messages, schemas.prompts(count), parse, seed)

    def imagine_scenes(
        self, caption: str, objects: Sequence[str], count: int, *, seed: int
    ) -> Answer[tuple[Scene, ...]]:
        """Return `count` scenes (Scene Imagination)."""
        existing = list(dict.fromkeys(objects))
        slots = {
            "scene number": str(count),
            "caption": caption,
            "exist objects": ", ".join(existing) or "no exist objects",
        }
        messages = fill("scene_imagination", slots)

        def parse(text: str) -> tuple[Scene, ...]:
            return parse_scenes(text, existing, count)

        return self._ask("scenes", messages, schemas.scenes(count), parse, seed)

    def place_objects(  # noqa: PLR0913 (the question has that many parts)
        self,
        caption: str,
        existing: Sequence[Detection],
        targets: Sequence[str],
        count: int,
        *,
        size_wh: tuple[int, int],
        seed: int,
    ) -> Answer[tuple[Placement, ...]]:
        """Return up to `count` placements (Box Candidates Generation, which speaks of 512 px)."""
        slots = {
            "prompt number": str(count),
            "caption": caption,
            "existing boxes info": _boxes_info(existing, size_wh),
            "target objects": ", ".join(targets),
        }
        messages = fill("box_candidates", slots)

        def parse(text: str) -> tuple[Placement, ...]:
            placements = parse_placements(text, targets, count)
            return tuple(_to_image(placement, size_wh) for placement in placements)

        schema = schemas.placements(targets, count)
        return self._ask("placements", messages, schema, parse, seed)

    def _ask(
        self,
        question: str,
        messages: tuple[Message, ...],
        schema: Schema,
        parse: Callable[[str], T],
        seed: int,
    ) -> Answer[T]:
        """Return the parsed answer, from memory if the same was asked before."""
        key = self._endpoint.key_of(messages, schema, seed)
        remembered = self._memory.recall(key) if self._memory else ()
        with suppress(AnswerRefused):  # an earlier version could use it
            if remembered:
                exchanges = tuple(replace(exchange, is_reused=True) for exchange in remembered)
                return Answer(_use(exchanges[-1], parse), exchanges)
        answer = self._converse(question, messages, schema, parse, seed)
        exchanges = tuple(replace(exchange, request_key=key) for exchange in answer.exchanges)
        if self._memory:
            self._memory.remember(key, exchanges)
        return replace(answer, exchanges=exchanges)

    def _converse(
        self,
        question: str,
        messages: tuple[Message, ...],
        schema: Schema,
        parse: Callable[[str], T],
        seed: int,
    ) -> Answer[T]:
        """Return the parsed answer; an unusable one is told its problem and asked for again."""
        exchanges: list[Exchange] = []
        for _ in range(self._config.max_repairs + 1):
            try:
                exchange = self._endpoint.ask(question, messages, schema, seed=seed)
            except ConversationFailed as failure:
                raise type(failure)(str(failure), [*exchanges, *failure.exchanges]) from None
            try:
                return Answer(_use(exchange, parse), (*exchanges, exchange))
            except AnswerRefused as refusal:
                exchanges.append(replace(exchange, problem=str(refusal)))
                messages = (*messages, *_complaint(exchange.answer, str(refusal)))
        raise AnswerRefused(
            f"no usable {question} from {self._config.model}, asked {len(exchanges)} times: "
            f"{exchanges[-1].problem}.",
            exchanges,
        )


def _vary(variation: int) -> str:
    """Return what makes the question for each later set another one."""
    if variation == 0:
        return ""
    circumstance = CIRCUMSTANCES[(variation - 1) % len(CIRCUMSTANCES)]
    return VARIATION.format(number=variation + 1, circumstance=circumstance)


def _avoid(prompts: Sequence[str]) -> str:
    """Return what keeps prompts from coming again; the first of many stand for all."""
    listed = "".join(f"\n- {prompt}" for prompt in prompts[:MOST_AVOIDED])
    return f"{AVOIDANCE}{listed}" if listed else ""


def _add(messages: tuple[Message, ...], wish: str) -> tuple[Message, ...]:
    """Return the conversation with a wish behind its last question."""
    question = messages[-1]
    return (*messages[:-1], {**question, "content": question["content"] + wish})


def _use(exchange: Exchange, parse: Callable[[str], T]) -> T:
    if exchange.problem is not None:
        raise AnswerRefused(exchange.problem)
    return parse(exchange.answer)


def _complaint(answer: str, problem: str) -> tuple[Message, Message]:
    return (
        {"role": "assistant", "content": answer or "(nothing)"},
        {"role": "user", "content": COMPLAINT.format(problem=problem)},
    )


def _boxes_info(existing: Sequence[Detection], size_wh: tuple[int, int]) -> str:
    """Return the existing boxes as Table 1's demonstration writes them."""
    return ", ".join(
        f'"value": {number}, "label": "{detection.label}", "logit": {detection.confidence:.2f}, '
        f'"box": [{_edges(_rescale(detection.box_xyxy, size_wh, REFERENCE_SIZE_WH))}]'
        for number, detection in enumerate(existing, start=1)
    )


def _edges(box_xyxy: BoxXyxy) -> str:
    return ", ".join(f"{edge:.2f}" for edge in box_xyxy)


def _to_image(placement: Placement, size_wh: tuple[int, int]) -> Placement:
    return replace(placement, box_xyxy=_rescale(placement.box_xyxy, REFERENCE_SIZE_WH, size_wh))


def _rescale(box_xyxy: BoxXyxy, from_wh: tuple[int, int], to_wh: tuple[int, int]) -> BoxXyxy:
    x_scale, y_scale = to_wh[0] / from_wh[0], to_wh[1] / from_wh[1]
    x_min, y_min, x_max, y_max = box_xyxy
    return (x_min * x_scale, y_min * y_scale, x_max * x_scale, y_max * y_scale)
