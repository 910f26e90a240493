"""OpenAI-compatible endpoint: sends a conversation, returns an exchange for the ledger."""

import hashlib
import json
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit, urlunsplit

import structlog

from chatgenimage.workers.config import OpenAiConfig
from chatgenimage.workers.errors import (
    AnswerRefused,
    CheckpointNotFound,
    ConversationFailed,
    CreditSpent,
    EndpointUnavailable,
)
from chatgenimage.workers.llm.address import HIDDEN, ServerAddress
from chatgenimage.workers.llm.completion import Completion, read_completion
from chatgenimage.workers.llm.dialect import SCHEMA, TEXT, Dialect
from chatgenimage.workers.llm.request_slots import OVERLOADED, RequestSlots, limited_client
from chatgenimage.workers.llm.schemas import Schema
from chatgenimage.workers.llm.server_errors import ServerError, ServerRefused
from chatgenimage.workers.llm.templates import Message
from chatgenimage.workers.llm.text import clean
from chatgenimage.workers.values import Exchange

if TYPE_CHECKING:
    from openai import OpenAI

log = structlog.get_logger()

PUBLIC_HOST = "api.openai.com"
NO_KEY = "no-key"
MAX_SEED = 2**31
MAX_REASON_LENGTH = 300
SCHEMA_FAULTS = frozenset({500, 501})
"""Statuses of servers that fail at every schema, and not at the question."""
PRICED_TOKENS = 1_000_000


def make_client(
    config: OpenAiConfig, timeout_s: float, max_retries: int, slots: RequestSlots | None = None
) -> "OpenAI":
    """Return a client of the configured server; a server of your own may need no key.

    Args:
        config: Names the server and the key.
        timeout_s: Longest wait for one answer.
        max_retries: Of one request, on transient failures.
        slots: Limit of requests at the same time; None: no limit.

    Raises:
        CheckpointNotFound: If there is no key to the public server.
    """
    from openai import OpenAI, OpenAIError

    address = ServerAddress.of(config.base_url)

    def connect(api_key: str | None) -> OpenAI:
        return OpenAI(
            api_key=api_key,
            base_url=address.base_url,
            default_query=address.query,
            timeout=timeout_s,
            max_retries=max_retries,
            http_client=limited_client(slots) if slots else None,
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


def endpoint_url(client: "OpenAI") -> str:
    """Return the server's address without user, password and query, which may hold secrets."""
    parts = urlsplit(str(client.base_url))
    return urlunsplit((parts.scheme, host_of(client), parts.path.rstrip("/"), "", ""))


class Endpoint:
    """A model on a server."""

    def __init__(self, client: "OpenAI", config: OpenAiConfig, slots: RequestSlots) -> None:
        self.slots = slots
        self._client = client
        self._config = config
        self._address = ServerAddress.of(config.base_url)
        self._dialect = Dialect()
        self._takes_schemas = False
        self._suspects_schemas = False

    @classmethod
    def connect(cls, config: OpenAiConfig) -> Self:
        """Return the endpoint; nothing is asked yet.

        Raises:
            CheckpointNotFound: If there is neither a key nor a server of your own, which may need
                none.
        """
        slots = RequestSlots(config.max_concurrency)
        return cls(make_client(config, config.timeout_s, config.max_retries, slots), config, slots)

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
        self,
        question: str,
        messages: tuple[Message, ...],
        schema: Schema,
        *,
        seed: int,
        max_tokens: int,
    ) -> tuple[Exchange, Completion]:
        """Return the exchange for the ledger, and the answer as it was read.

        Args:
            question: Which of the four, e.g. "features".
            messages: The conversation, its last message the question.
            schema: Of the answer.
            seed: Any integer.
            max_tokens: Longest answer, at least 1 token.

        Raises:
            EndpointUnavailable: If the server cannot be reached or is overloaded, after retries.
            CreditSpent: If the account has no credit left.
            AnswerRefused: If the server refuses the request. All carry the failed exchange.
        """
        start = time.monotonic()
        exchange = Exchange(question, self._config.model, messages, "")
        try:
            completion, sent = self._complete(messages, schema, seed, max_tokens)
        except ServerRefused as refused:
            problem = self._describe(refused.error)
            failed = replace(exchange, duration_s=time.monotonic() - start, problem=problem)
            raise _kind(refused.error)(problem, [failed]) from None
        answered = replace(
            exchange,
            messages=sent,
            model=completion.model or self._config.model,
            answer=completion.text,
            thoughts=completion.thoughts or None,
            prompt_tokens=completion.prompt_tokens,
            completion_tokens=completion.completion_tokens,
            duration_s=time.monotonic() - start,
            problem=completion.problem,
            cost=self._cost(completion),
        )
        return answered, completion

    def _cost(self, completion: Completion) -> float:
        """Return what the counted tokens cost; 0 for those that the server did not count."""
        sent = (completion.prompt_tokens or 0) * self._config.prompt_price
        received = (completion.completion_tokens or 0) * self._config.completion_price
        return (sent + received) / PRICED_TOKENS

    def _complete(
        self, messages: tuple[Message, ...], schema: Schema, seed: int, max_tokens: int
    ) -> tuple[Completion, tuple[Message, ...]]:
        """Return the completion and the messages that were sent for it.

        Learns from refusals what the server does not understand. Only a success teaches: a request
        may also be refused for what it says.
        """
        dialect = self._dialect
        fault: ServerRefused | None = None
        while True:
            sent = dialect.messages(messages, schema)
            options = dialect.options(
                schema,
                temperature=self._config.temperature,
                max_tokens=max_tokens,
                seed=seed % MAX_SEED,
            )
            try:
                completion = self._request(sent, options, max_tokens, is_last=fault is not None)
            except ServerRefused as refused:
                if refused.error.is_bad_request:
                    simpler = dialect.simpler(refused.error.said)
                elif fault is None and self._may_be_the_schema(refused.error, dialect):
                    fault, simpler = refused, dialect.after_fault(refused.error.said)
                else:
                    simpler = dialect
                if simpler == dialect:
                    raise fault or refused from None
                dialect = simpler
            else:
                self._learn(dialect, is_suspicion=fault is not None)
                return completion, sent

    def _learn(self, dialect: Dialect, *, is_suspicion: bool) -> None:
        """Use from now on what the server understood.

        A fault may have been an outage that was over: schemas are left out at the second time.
        """
        if dialect.form == SCHEMA:
            self._takes_schemas = True
        elif is_suspicion and dialect.form != self._dialect.form and not self._suspects_schemas:
            self._suspects_schemas = True
            return
        if dialect != self._dialect:
            changed = asdict(dialect).items() - asdict(self._dialect).items()
            log.warning("language_server_dialect", host=self.host, **dict(sorted(changed)))
        self._dialect = dialect

    def _may_be_the_schema(self, error: ServerError, dialect: Dialect) -> bool:
        """Return whether a server's fault may come from the schema: none has ever worked here."""
        is_possible = dialect.form != TEXT and not self._takes_schemas
        return is_possible and error.status in SCHEMA_FAULTS

    def _request(
        self,
        messages: tuple[Message, ...],
        options: dict[str, Any],
        max_tokens: int,
        *,
        is_last: bool,
    ) -> Completion:
        """Send one request; the client repeats it on transient faults, unless it is the last.

        Raises:
            ServerRefused: If the server did not answer, or answered with an error.
        """
        from openai import APIError

        conversation: Any = list(messages)
        asked_at = time.monotonic()
        client = self._client.with_options(max_retries=0) if is_last else self._client
        try:
            response = client.chat.completions.with_raw_response.create(
                model=self._config.model, messages=conversation, **options
            )
            return read_completion(response.text, max_tokens)
        except ServerRefused as refused:  # the body of a 200 says it
            if refused.error.status in OVERLOADED:
                self.slots.lower_limit(asked_at)
            raise
        except APIError as error:
            raise ServerRefused(ServerError.of(error)) from None

    def _describe(self, error: ServerError) -> str:
        """Return a failed request in one line, without secrets that the server may repeat."""
        reason = self._address.hide(clean(error.text).replace(self._client.api_key, HIDDEN))
        text = f"{self._config.model} at {self.host}: {reason[:MAX_REASON_LENGTH].rstrip('.')}."
        return f"{text} {error.remedy}"


def _kind(error: ServerError) -> type[ConversationFailed]:
    if error.is_spent:
        return CreditSpent
    return EndpointUnavailable if error.is_transient else AnswerRefused
