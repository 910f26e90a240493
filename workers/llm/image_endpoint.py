"""OpenAI-compatible image endpoint: sends a prompt, with images or without; returns pixels."""

import hashlib
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import httpx2
import structlog

from chatgenimage.workers.errors import AnswerRefused
from chatgenimage.workers.interfaces import ImageCache
from chatgenimage.workers.llm.answer_time import iter_until
from chatgenimage.workers.llm.dialect import UNKNOWN_PARAMETER
from chatgenimage.workers.llm.image_answers import (
    MOST_BYTES,
    ImageAnswer,
    ImageUnreadable,
    decode_image,
    read_image_answer,
    resolve_url,
)
from chatgenimage.workers.llm.server import Server, endpoint_url
from chatgenimage.workers.llm.server_errors import (
    SERVER_FAULT,
    TOO_LARGE,
    TRANSIENT_STATUSES,
    ServerError,
    ServerRefused,
)
from chatgenimage.workers.paid_calls import report_calls
from chatgenimage.workers.server_config import OpenAiImagesConfig
from chatgenimage.workers.values import Exchange, RgbImage

log = structlog.get_logger()

PAUSE_S = 1.0
"""Pause before an image's file is fetched again; longer at each attempt."""
MOST_ANSWER_BYTES = 2 * MOST_BYTES
"""Largest answer, with images in base64."""
OPTIONS = ("size", "quality", "n", "response_format")
UNSUPPORTED = re.compile(r"unsupported parameter|not permitted|does not support", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """A request for one image.

    Attributes:
        kind: "image", "edit" or "fill".
        prompt: The text.
        seed: Part of the cache's key alone: these servers take none.
        files: PNG files by parameter: "image" and "mask"; empty for a new image.
        size: Size to ask for, widthxheight in pixels; None: that of the settings.
    """

    kind: str
    prompt: str
    seed: int
    files: Mapping[str, bytes]
    size: str | None = None


class ImageEndpoint:
    """An image model on a server."""

    def __init__(
        self, server: Server, config: OpenAiImagesConfig, memory: ImageCache | None
    ) -> None:
        self.server = server
        self._config = config
        self._memory = memory if config.reuse_answers else None
        given = {name: getattr(config, name) for name in OPTIONS}
        self._options = {name: value for name, value in given.items() if value is not None}

    @classmethod
    def connect(cls, config: OpenAiImagesConfig, memory: ImageCache | None) -> Self:
        """Return the endpoint; nothing is asked yet.

        Raises:
            CheckpointNotFound: If there is neither a key nor a server of your own.
        """
        return cls(Server.connect(config, MOST_ANSWER_BYTES), config, memory)

    def ask(self, request: ImageRequest) -> RgbImage:
        """Return the image, from memory if the same was asked before; report what was paid.

        Raises:
            EndpointUnavailable: If the server cannot be reached or is overloaded, after retries.
            CreditSpent: If the account has no credit left.
            AnswerRefused: If the server refuses the request, as its content filter does, or sends
                no image. All carry the failed exchange.
        """
        key = self._key_of(request)
        if self._memory:
            for exchange in self._memory.recall(key):
                image = self._memory.recall_image(exchange.answer)
                if image is not None:
                    report_calls([replace(exchange, is_reused=True)])
                    return image
        exchange, image = self._ask_server(request, key)
        if self._memory:
            exchange = self._memory.remember_image(key, exchange, image)
        report_calls([exchange])
        return image

    def _key_of(self, request: ImageRequest) -> str:
        config = self._config
        files = {name: hashlib.sha256(file).hexdigest() for name, file in request.files.items()}
        size = request.size or config.size
        asked = [self.server.cache_name, config.model, size, config.quality]
        text = json.dumps([asked, request.kind, request.prompt, request.seed, files])
        return hashlib.sha256(text.encode()).hexdigest()

    def _ask_server(self, request: ImageRequest, key: str) -> tuple[Exchange, RgbImage]:
        """Ask for an image; return it with the exchange, which has its cost and duration.

        Raises:
            ConversationFailed: If the server refuses, or sends no image that can be read.
        """
        start = time.monotonic()
        message = {"role": "user", "content": request.prompt}
        exchange = Exchange(
            request.kind, self._config.model, (message,), "", None, None, request_key=key
        )
        try:
            answer = self._request(request)
        except ServerRefused as refused:
            problem = self.server.describe(refused.error)
            failed = self._ended(exchange, start, problem=problem)
            raise self.server.failure(refused.error, failed) from None
        exchange = self._paid(exchange, answer)
        try:
            image = decode_image(self._fetch(answer))
        except ImageUnreadable as error:
            failed = self._ended(exchange, start, problem=f"{self._config.model}: {error}.")
            raise AnswerRefused(str(failed.problem), [failed]) from None
        height, width = image.shape[:2]
        return self._ended(exchange, start, answer=f"{width}x{height} pixels"), image

    def _ended(self, exchange: Exchange, start: float, **changes: Any) -> Exchange:  # noqa: ANN401 (any field)
        return replace(exchange, duration_s=time.monotonic() - start, **changes)

    def _paid(self, exchange: Exchange, answer: ImageAnswer) -> Exchange:
        """Return the exchange with its cost; tokens count if they have a price."""
        config = self._config
        cost = answer.count * config.price_per_image
        cost += self.server.cost_of(answer.prompt_tokens, answer.completion_tokens)
        unknown = None if config.prompt_price or config.completion_price else 0
        sent, received = (
            unknown if count is None else count
            for count in (answer.prompt_tokens, answer.completion_tokens)
        )
        return replace(exchange, prompt_tokens=sent, completion_tokens=received, cost=cost)

    def _request(self, request: ImageRequest) -> ImageAnswer:
        """Send the request, without the parameters that the server does not know.

        Raises:
            ServerRefused: If the server did not answer, or answered with an error.
        """
        options = dict(self._options)
        while True:
            try:
                answer = self._send(request, options)
            except ServerRefused as refused:
                unknown = _unknown_option(refused.error, options)
                if unknown is None or (unknown == "size" and request.size):
                    raise
                del options[unknown]
            else:
                if options != self._options:
                    gone = sorted(self._options.keys() - options.keys())
                    log.warning("image_server_dialect", host=self.server.host, left_out=gone)
                    self._options = options
                return answer

    def _send(self, request: ImageRequest, options: Mapping[str, Any]) -> ImageAnswer:
        """Send the request once, with these options.

        Raises:
            ServerRefused: If the server did not answer, or answered with an error.
        """
        from openai import APIError

        images = self.server.client.images.with_raw_response
        asked: dict[str, Any] = {"model": self._config.model, "prompt": request.prompt, **options}
        if request.size:
            asked["size"] = request.size
        files = {
            name: (f"{name}.png", content, "image/png") for name, content in request.files.items()
        }
        try:
            send: Any = images.edit if files else images.generate
            response = send(**asked, **files)
        except APIError as error:
            refusal = ServerError.of(error)
            if refusal.code == TOO_LARGE:
                return ImageAnswer.without_image(refusal.text)
            raise ServerRefused(refusal) from None
        return read_image_answer(response.text)

    def _fetch(self, answer: ImageAnswer) -> bytes:
        """Return an image's file, from the server's own host if it sent an address.

        Raises:
            ImageUnreadable: If there is none, or it cannot be fetched, after retries. It was paid
                for: the step does not wait for the server and ask for another one.
        """
        if answer.encoded is None:
            raise ImageUnreadable(answer.problem)
        if isinstance(answer.encoded, bytes):
            return answer.encoded
        url = resolve_url(answer.encoded, endpoint_url(self.server.client))
        for attempt in range(self._config.max_retries + 1):
            time.sleep(attempt * PAUSE_S)
            try:
                return self._download(url)
            except httpx2.HTTPError as error:
                problem = type(error).__name__  # its text has the address, which may hold a secret
        raise ImageUnreadable(
            f"its image cannot be fetched ({problem}): set `response_format: b64_json`"
        )

    def _download(self, url: str) -> bytes:
        """Return the file at an address, within the time limit of a request.

        Raises:
            ImageUnreadable: If there is no file, or it is too large.
        """
        content, limit_s = bytearray(), self._config.timeout_s
        ends_at = time.monotonic() + limit_s
        try:
            with httpx2.stream("GET", url, timeout=limit_s) as response:
                _refuse_no_file(response)
                for chunk in iter_until(response, ends_at):
                    content += chunk
                    if len(content) > MOST_BYTES:
                        raise ImageUnreadable("the server's image is too large")
        except httpx2.InvalidURL as error:
            raise ImageUnreadable(f"the server sent no address of an image: {error}") from None
        return bytes(content)


def _refuse_no_file(response: httpx2.Response) -> None:
    """Raise ImageUnreadable for a refusal that would come again: each new image is paid for."""
    if response.status_code >= SERVER_FAULT or response.status_code in TRANSIENT_STATUSES:
        response.raise_for_status()
    if not response.is_success:
        raise ImageUnreadable(
            f"the server refuses to send its image (HTTP {response.status_code}): set "
            "`response_format: b64_json`"
        )


def _unknown_option(error: ServerError, options: Mapping[str, Any]) -> str | None:
    """Return the parameter that a server does not know; None if that is not what it says."""
    said = error.said
    if not error.is_bad_request or not (UNKNOWN_PARAMETER.search(said) or UNSUPPORTED.search(said)):
        return None
    named = (name for name in options if re.search(rf"\b{name}\b", said))
    return next(named, None)
