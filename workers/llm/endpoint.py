"""OpenAI-compatible endpoint: sends a conversation, returns an exchange for the ledger."""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Self

import structlog

from chatgenimage.workers.llm.completion import Completion, read_completion
from chatgenimage.workers.llm.dialect import SCHEMA, TEXT, Dialect, show_images
from chatgenimage.workers.llm.request_slots import OVERLOADED
from chatgenimage.workers.llm.schemas import Schema
from chatgenimage.workers.llm.server import Server
from chatgenimage.workers.llm.server_errors import ServerError, ServerRefused
from chatgenimage.workers.llm.templates import Message
from chatgenimage.workers.server_config import ChatConfig
from chatgenimage.workers.values import Exchange

log = structlog.get_logger()

MAX_SEED = 2**31
SCHEMA_FAULTS = frozenset({500, 501})
"""Statuses of servers that fail at every schema, and not at the question."""


class Endpoint:
    """A model on a server."""

    def __init__(self, server: Server, config: ChatConfig) -> None:
        self._server = server
        self._config = config
        self._dialect = Dialect()
        self._takes_schemas = False
        self._suspects_schemas = False

    @classmethod
    def connect(cls, config: ChatConfig) -> Self:
        """Return the endpoint; nothing is asked yet.

        Raises:
            CheckpointNotFound: If there is neither a key nor a server of your own, which may need
                none.
        """
        return cls(Server.connect(config), config)

    @property
    def host(self) -> str:
        """Return the server's name and port, without user and password."""
        return self._server.host

    @property
    def concurrency(self) -> int:
        """Return how many more requests the server takes now, as far as is known; at least 1."""
        return self._server.concurrency

    def key_of(
        self,
        messages: tuple[Message, ...],
        schema: Schema | None,
        seed: int,
        images: Sequence[bytes] = (),
    ) -> str:
        """Return a hash of a request: the same server, model, question, images and parameters."""
        config = self._config
        asked = [self._server.cache_name, config.model, config.temperature, config.max_tokens]
        seen = [hashlib.sha256(image).hexdigest() for image in images]
        parts = [asked, messages, schema, seed % MAX_SEED, *([seen] if seen else [])]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def ask(  # noqa: PLR0913 (the request has that many parts)
        self,
        question: str,
        messages: tuple[Message, ...],
        schema: Schema | None,
        *,
        seed: int,
        max_tokens: int,
        images: Sequence[bytes] = (),
    ) -> tuple[Exchange, Completion]:
        """Return the exchange for the ledger, and the answer as it was read.

        Args:
            question: Kind of request, e.g. "features".
            messages: The conversation, its last message the question.
            schema: Of the answer; None for plain text.
            seed: Any integer.
            max_tokens: Longest answer, at least 1 token.
            images: PNG files that the first question is about.

        Raises:
            EndpointUnavailable: If the server cannot be reached or is overloaded, after retries.
            CreditSpent: If the account has no credit left.
            AnswerRefused: If the server refuses the request. All carry the failed exchange.
        """
        start = time.monotonic()
        exchange = Exchange(question, self._config.model, messages, "")
        try:
            completion, sent = self._complete(messages, schema, seed, max_tokens, images)
        except ServerRefused as refused:
            problem = self._server.describe(refused.error)
            failed = replace(exchange, duration_s=time.monotonic() - start, problem=problem)
            raise self._server.failure(refused.error, failed) from None
        asked = replace(exchange, messages=sent, duration_s=time.monotonic() - start)
        return self._with_answer(asked, completion), completion

    def _with_answer(self, exchange: Exchange, completion: Completion) -> Exchange:
        """Return the exchange with the answer, its tokens and their cost."""
        return replace(
            exchange,
            model=completion.model or self._config.model,
            answer=completion.text,
            thoughts=completion.thoughts or None,
            prompt_tokens=completion.prompt_tokens,
            completion_tokens=completion.completion_tokens,
            problem=completion.problem,
            cost=self._server.cost_of(completion.prompt_tokens, completion.completion_tokens),
        )

    def _complete(
        self,
        messages: tuple[Message, ...],
        schema: Schema | None,
        seed: int,
        max_tokens: int,
        images: Sequence[bytes],
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
                shown = show_images(sent, images)
                completion = self._request(shown, options, max_tokens, is_last=fault is not None)
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
        messages: Sequence[Mapping[str, Any]],
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
        client = self._server.client
        client = client.with_options(max_retries=0) if is_last else client
        try:
            response = client.chat.completions.with_raw_response.create(
                model=self._config.model, messages=conversation, **options
            )
            return read_completion(response.text, max_tokens)
        except ServerRefused as refused:  # the body of a 200 says it
            if refused.error.status in OVERLOADED:
                self._server.slots.lower_limit(asked_at)
            raise
        except APIError as error:
            raise ServerRefused(ServerError.of(error)) from None
