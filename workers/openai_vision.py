"""A vision-language model behind an OpenAI-compatible endpoint: captions, boxes, answers."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Self, TypeVar

import numpy as np
import structlog
from PIL import Image

from chatgenimage.workers.errors import AnswerRefused, ConversationFailed
from chatgenimage.workers.interfaces import LlmCache
from chatgenimage.workers.llm import schemas
from chatgenimage.workers.llm.conversation import AnswerDoubtful, Question, ask_once
from chatgenimage.workers.llm.endpoint import Endpoint
from chatgenimage.workers.llm.image_answers import encode_image
from chatgenimage.workers.llm.parsing import parse_found, parse_sentence
from chatgenimage.workers.llm.schemas import Schema
from chatgenimage.workers.llm.seen_boxes import recognise_unit, to_pixels
from chatgenimage.workers.paid_calls import report_calls
from chatgenimage.workers.server_config import BoxUnit, OpenAiVisionConfig
from chatgenimage.workers.values import BoxXyxy, Detection, ModelIdentity, RgbImage, T

log = structlog.get_logger()

In = TypeVar("In")

CAPTION = (
    "Describe this image in one sentence of at most {words} words. Name each object in it, and "
    "the place. Answer with the sentence alone."
)
BOXES = (
    "Find every object in this image that is one of: {labels}. Answer with JSON alone, in this "
    'form: {{"objects": [{{"label": "...", "box": [x_min, y_min, x_max, y_max]}}]}}. Boxes are '
    "tight around the visible object, in thousandths of the image's width and height, from 0 to "
    "1000, measured from the top left. Leave out what is not there: the list may be empty."
)
SHOWN_BOXES = 3
CONFIDENCE = 1.0
"""Of every box: a chat model gives none."""


class OpenAiVision:
    """Family `openai_vision`: satisfies Captioner, Detector and VisualJudge."""

    def __init__(
        self, endpoint: Endpoint, config: OpenAiVisionConfig, memory: LlmCache | None = None
    ) -> None:
        self._endpoint = endpoint
        self._config = config
        self._memory = memory
        self._reports_unit = False
        settings = {
            "host": endpoint.host,
            "temperature": config.temperature,
            "max_tokens": config.max_tokens,
            "longest_side_px": config.longest_side_px,
            "max_caption_words": config.max_caption_words,
        }
        if config.box_unit != "auto":
            settings["box_unit"] = config.box_unit
        self.identity = ModelIdentity("openai_vision", config.model, config.model, settings)

    @classmethod
    def load(cls, config: OpenAiVisionConfig, memory: LlmCache | None = None) -> Self:
        """Return the model; nothing is asked yet.

        Args:
            config: Names server and model.
            memory: Where answers are kept, so that no request is paid for twice.

        Raises:
            CheckpointNotFound: If there is neither a key nor a server of your own.
        """
        return cls(Endpoint.connect(config), config, memory)

    @property
    def concurrency(self) -> int:
        """Return how many more requests the server takes now, as far as is known; at least 1."""
        return self._endpoint.concurrency

    def caption(self, images: Sequence[RgbImage]) -> list[str]:
        """Return one stripped caption per image.

        Raises:
            ConversationFailed: If the server refuses, gives no usable answer, or is not available.
        """
        text = CAPTION.format(words=self._config.max_caption_words)
        return self._each(lambda one: self._ask("caption", one, text, None, parse_sentence), images)

    def detect(
        self, images: Sequence[RgbImage], labels: Sequence[Sequence[str]]
    ) -> list[list[Detection]]:
        """Return the objects found in each image; every box has confidence 1.

        Args:
            images: Any sizes.
            labels: The names to look for, per image; without names nothing is asked.

        Raises:
            ConversationFailed: If the server refuses, gives no usable answer, or is not available.
        """
        pairs = list(zip(images, labels, strict=True))
        return self._each(lambda pair: self._find(*pair) if pair[1] else [], pairs)

    def ask(self, images: Sequence[RgbImage], questions: Sequence[str]) -> list[str]:
        """Return one short, stripped answer per image.

        Args:
            images: (H, W, 3) each; sizes may differ.
            questions: One per image, in the same order.

        Returns:
            "" where the model does not answer, or says that it cannot.

        Raises:
            ConversationFailed: If the server refuses, gives no usable answer, or is not available.
        """
        pairs = list(zip(images, questions, strict=True))
        return self._each(lambda pair: self._ask("judgement", *pair, None, _parse_judgement), pairs)

    def _find(self, image: RgbImage, labels: Sequence[str]) -> list[Detection]:
        """Return the objects of these names in one image, boxes in its pixels."""
        size_wh = (image.shape[1], image.shape[0])
        sent_wh = _fitting_size(size_wh, self._config.longest_side_px)

        def parse(text: str) -> list[Detection]:
            """Return the detections in pixels of the image."""
            found = parse_found(text, labels)
            written = [box for _, box in found]
            boxes = to_pixels(written, size_wh, sent_wh, self._unit_of(written, sent_wh))
            there = [
                Detection(label, CONFIDENCE, box)
                for (label, _), box in zip(found, boxes, strict=True)
                if box is not None
            ]
            if found and not there:
                raise AnswerDoubtful("no box has an area inside the image", there)
            return there

        text = BOXES.format(labels=", ".join(labels))
        return self._ask("boxes", image, text, schemas.found(labels), parse)

    def _unit_of(self, boxes: Sequence[BoxXyxy], sent_wh: tuple[int, int]) -> BoxUnit:
        """Return the unit of an answer's boxes; log once that it was assumed."""
        if self._config.box_unit != "auto":
            return self._config.box_unit
        guess = recognise_unit(boxes, sent_wh)
        if not guess.is_certain and not self._reports_unit:
            self._reports_unit = True
            log.warning(
                "box_unit_assumed",
                model=self._config.model,
                unit=guess.unit,
                boxes=list(boxes[:SHOWN_BOXES]),
                sent_wh=sent_wh,
                advice="These numbers may be in more than one unit. Look at the first boxes in the "
                "gallery, and set box_unit of the family (thousandths, shares or pixels).",
            )
        return guess.unit

    def _ask(
        self,
        name: str,
        image: RgbImage,
        text: str,
        schema: Schema | None,
        parse: Callable[[str], T],
    ) -> T:
        """Return the parsed answer to a question about an image; report what was paid."""
        shown = encode_image(_fit(image, self._config.longest_side_px))
        message = {"role": "user", "content": text}
        question = Question(name, (message,), schema, parse, 0, (shown,))
        answer = ask_once(self._endpoint, self._config, self._memory, question)
        report_calls(answer.exchanges)
        return answer.value

    def _each(self, ask: Callable[[In], T], subjects: Sequence[In]) -> list[T]:
        """Return the answer about each subject; several are asked at the same time."""
        if len(subjects) == 1:
            return [ask(subjects[0])]
        with ThreadPoolExecutor(max(1, min(len(subjects), self.concurrency))) as threads:
            calls = [threads.submit(copy_context().run, ask, subject) for subject in subjects]
        failures = [
            error for call in calls if isinstance(error := call.exception(), ConversationFailed)
        ]
        for failure in failures[1:]:  # the first is raised, and has its own calls
            report_calls(failure.exchanges)
        return [call.result() for call in calls]


def _parse_judgement(text: str) -> str:
    """Return an answer about an image.

    Raises:
        AnswerDoubtful: If it judges nothing: it is empty, an apology, or far too long. If no better
            one comes, "" is returned; numbers in an apology are not scores.
    """
    try:
        return parse_sentence(text)
    except AnswerRefused as refused:
        raise AnswerDoubtful(str(refused), "") from None


def _fit(image: RgbImage, longest_side_px: int) -> RgbImage:
    """Return an image scaled down to a longest side."""
    size_wh = (image.shape[1], image.shape[0])
    fitting_wh = _fitting_size(size_wh, longest_side_px)
    if fitting_wh == size_wh:
        return image
    return np.array(Image.fromarray(image).resize(fitting_wh, Image.Resampling.LANCZOS))


def _fitting_size(size_wh: tuple[int, int], longest_side_px: int) -> tuple[int, int]:
    """Return the size of an image that is scaled down to a longest side, pixels."""
    scale = min(1.0, longest_side_px / max(size_wh))
    width, height = (max(1, round(side * scale)) for side in size_wh)
    return width, height
