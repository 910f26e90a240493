"""One OpenAI-compatible endpoint: sends a conversation, brings back an exchange for the ledger."""

import hashlib
import json
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from chatgenimage.workers.config import OpenAiConfig
from chatgenimage.workers.errors import AnswerRefused, CheckpointNotFound, EndpointUnavailable
from chatgenimage.workers.llm.schemas import Schema, without_text_lengths
from chatgenimage.workers.llm.templates import Message
from chatgenimage.workers.values import Exchange

if TYPE_CHECKING:
    from openai import APIError, OpenAI
    from openai.types.chat import ChatCompletion

PUBLIC_HOST = "api.openai.com"
NO_KEY = "no-key"
MAX_SEED = 2**31
MAX_REASON_LENGTH = 300
TRANSIENT_STATUSES = frozenset({408, 409, 425, 429})
SERVER_FAULT = 500
PRICED_TOKENS = 1_000_000


@dataclass(frozen=True, slots=True)
class Dialect:
    """Which parameters the server understands; learned from its refusals."""

    schemas: bool = True
    text_lengths: bool = True
    temperature: bool = True
    token_limit: str = "max_tokens"  # noqa: S105 (the name of a parameter)


def make_client(config: OpenAiConfig, timeout_s: float, max_retries: int) -> "OpenAI":
    """Return a client of the configured server; a server of one's own might do without a key.

    Raises:
        CheckpointNotFound: If there is no key to the public server.
    """
    from openai import OpenAI, OpenAIError

    def connect(api_key: str | None) -> OpenAI:
        return OpenAI(
            api_key=api_key, base_url=config.base_url, timeout=timeout_s, max_retries=max_retries
        )

    try:
        return connect(config.api_key.get_secret_value() if config.api_key else None)
    except OpenAIError:
        client = connect(NO_KEY)
    if host_of(client) == PUBLIC_HOST:
        raise CheckpointNotFound(
            f"no key for {config.model}: set OPENAI_API_KEY, or OPENAI_BASE_URL to a server of "
            "your own, or choose the profile micro, which needs neither."
        )
    return client


def host_of(client: "OpenAI") -> str:
    """Return the server's name and port, without user and password."""
    return urlsplit(str(client.base_url)).netloc.rpartition("@")[2]


class Endpoint:
    """A model on a server."""

    def __init__(self, client: "OpenAI", config: OpenAiConfig) -> None:
        self._client = client
        self._config = config
        self._dialect = Dialect()

    @classmethod
    def connect(cls, config: OpenAiConfig) -> Self:
        """Return the endpoint; nothing is asked yet.

        Raises:
            CheckpointNotFound: If there is neither a key nor a server of one's own, which might
                do without.
        """
        return cls(make_client(config, config.timeout_s, config.max_retries), config)

    @property
    def host(self) -> str:
        """Return the server's name and port, without user and password."""
        return host_of(self._client)

    def key_of(self, messages: tuple[Message, ...], schema: Schema, seed: int) -> str:
        """Return a hash of a request: the same server, model, question and parameters."""
        config = self._config
        asked = [self.host, config.model, config.temperature, config.max_tokens]
        text = json.dumps([asked, messages, schema, seed % MAX_SEED], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def ask(
        self, question: str, messages: tuple[Message, ...], schema: Schema, *, seed: int
    ) -> Exchange:
        """Return what the model answered; `problem` is set if the answer is no text.

        Raises:
            EndpointUnavailable: If the server cannot be reached or is overloaded, after retries.
            AnswerRefused: If the server refuses the request. Both carry the failed exchange.
        """
        from openai import APIError

        start = time.monotonic()
        exchange = Exchange(question, self._config.model, messages, "")
        try:
            completion = self._complete(messages, schema, seed)
        except APIError as error:
            problem = self._tell(error)
            failed = replace(exchange, duration_s=time.monotonic() - start, problem=problem)
            kind = EndpointUnavailable if _is_transient(error) else AnswerRefused
            raise kind(problem, [failed]) from None
        except ValueError:
            seconds = time.monotonic() - start
            return replace(exchange, duration_s=seconds, problem="the server sent broken JSON")
        answer, problem_found = _read(completion)
        usage = getattr(completion, "usage", None)
        sent, received = (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0)
        return replace(
            exchange,
            model=getattr(completion, "model", None) or self._config.model,
            answer=answer,
            prompt_tokens=sent,
            completion_tokens=received,
            duration_s=time.monotonic() - start,
            problem=problem_found,
            cost=self._cost(sent, received),
        )

    def _cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        prices = self._config.prompt_price, self._config.completion_price
        return (prompt_tokens * prices[0] + completion_tokens * prices[1]) / PRICED_TOKENS

    def _complete(
        self, messages: tuple[Message, ...], schema: Schema, seed: int
    ) -> "ChatCompletion":
        """Return the completion, learning from refusals what the server does not understand.

        Only a success teaches: a request may also be refused for what it says.
        """
        from openai import BadRequestError, UnprocessableEntityError

        dialect = self._dialect
        while True:
            try:
                completion = self._request(messages, schema, seed, dialect)
            except (BadRequestError, UnprocessableEntityError) as error:
                simpler = _simplify(dialect, str(error))
                if simpler == dialect:
                    raise
                dialect = simpler
            else:
                self._dialect = dialect
                return completion

    def _request(
        self, messages: tuple[Message, ...], schema: Schema, seed: int, dialect: Dialect
    ) -> "ChatCompletion":
        options: dict[str, Any] = {dialect.token_limit: self._config.max_tokens}
        if dialect.temperature:
            options["temperature"] = self._config.temperature
        if dialect.schemas:
            known = schema if dialect.text_lengths else without_text_lengths(schema)
            options["response_format"] = {"type": "json_schema", "json_schema": known}
        conversation: Any = list(messages)
        completion: ChatCompletion = self._client.chat.completions.create(
            model=self._config.model, messages=conversation, seed=seed % MAX_SEED, **options
        )
        return completion

    def _tell(self, error: "APIError") -> str:
        """Return one line on a failed request, without the key, even if the server repeats it."""
        reason = " ".join(str(error).split()).replace(self._client.api_key, "***")
        text = f"{self._config.model} at {self.host}: {reason[:MAX_REASON_LENGTH].rstrip('.')}."
        return f"{text} {_remedy(getattr(error, 'status_code', None))}"


def _simplify(dialect: Dialect, refusal: str) -> Dialect:
    """Return a dialect without what was refused, or the same one if nothing is left to give up."""
    if "max_completion_tokens" in refusal and dialect.token_limit == "max_tokens":  # noqa: S105
        return replace(dialect, token_limit="max_completion_tokens")  # noqa: S106
    if "temperature" in refusal and dialect.temperature:
        return replace(dialect, temperature=False)
    if "maxLength" in refusal and dialect.text_lengths:
        return replace(dialect, text_lengths=False)
    return replace(dialect, schemas=False)


def _is_transient(error: "APIError") -> bool:
    status = getattr(error, "status_code", None)
    return status is None or status in TRANSIENT_STATUSES or status >= SERVER_FAULT


def _remedy(status: int | None) -> str:
    match status:
        case 401 | 403:
            return "Check OPENAI_API_KEY, or api_key in the profile."
        case 404:
            return "Check OPENAI_BASE_URL, and the model's name in the profile."
        case 429:
            return "Wait, or raise the account's limits."
        case None:
            return "Check that the server of OPENAI_BASE_URL runs."
        case _:
            return "The server's log may say more."


def _read(completion: Any) -> tuple[str, str | None]:  # noqa: ANN401 (what a server sends)
    """Return the text, and why it is none or not whole.

    A server that is only compatible may leave out what the package's types promise.
    """
    choice = next(iter(getattr(completion, "choices", None) or ()), None)
    message = getattr(choice, "message", None)
    if message is None:
        return "", "the server sent no chat completion"
    text = message.content or ""
    if getattr(choice, "finish_reason", None) == "length":
        return text, "the answer was cut off at its longest length"
    if refusal := getattr(message, "refusal", None):
        return text, f"the model declined: {refusal}"
    return text, None if text.strip() else "the answer is empty"
