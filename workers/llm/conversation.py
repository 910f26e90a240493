"""Conversations with an endpoint: an unusable answer is asked for again, with its problem."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Generic

from chatgenimage.workers.errors import AnswerRefused, ConversationFailed
from chatgenimage.workers.interfaces import LlmCache
from chatgenimage.workers.llm.completion import Completion
from chatgenimage.workers.llm.endpoint import Endpoint
from chatgenimage.workers.llm.schemas import Schema
from chatgenimage.workers.llm.templates import Message
from chatgenimage.workers.llm.text import clean, split_thoughts
from chatgenimage.workers.server_config import ChatConfig
from chatgenimage.workers.values import Answer, Exchange, T

COMPLAINT = (
    "This result cannot be used: {problem}. Return the whole result again in the requested format."
)
UNREADABLE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""Errors that an answer of an unforeseen form may cause; it was paid for and is in the ledger."""


class AnswerDoubtful(AnswerRefused):
    """An answer that can be read but is of no use; `value` is taken if no better one comes."""

    def __init__(self, message: str, value: object) -> None:
        super().__init__(message)
        self.value = value


@dataclass(frozen=True, slots=True)
class Question(Generic[T]):
    """A question to a model, with a way to read its answer.

    Attributes:
        name: Kind of question, e.g. "features".
        messages: The conversation that asks it.
        schema: Of the answer; None for plain text.
        parse: Reads an answer; raises AnswerRefused with a reason for the model.
        seed: Makes the answer repeatable where the model can.
        images: PNG files that it is about.
    """

    name: str
    messages: tuple[Message, ...]
    schema: Schema | None
    parse: Callable[[str], T]
    seed: int
    images: tuple[bytes, ...] = ()


def converse(
    endpoint: Endpoint, config: ChatConfig, question: Question[T]
) -> tuple[Answer[T], bool]:
    """Return the parsed answer, and whether it is one to remember.

    An answer that was cut off is asked for once more with `config.max_tokens_if_cut`; another
    unusable one up to `config.max_repairs` times with its problem said. A doubtful answer is used
    if no better one comes, and not remembered.

    Raises:
        AnswerRefused: If no answer could be used.
        EndpointUnavailable: If the server cannot be reached. Both carry every exchange.
    """
    exchanges: list[Exchange] = []
    doubtful: tuple[int, T] | None = None
    messages, limit, repairs = question.messages, config.max_tokens, config.max_repairs
    while True:
        exchange, completion = _ask(endpoint, question, messages, limit, exchanges)
        try:
            return Answer(read_answer(exchange, question.parse), (*exchanges, exchange)), True
        except AnswerRefused as refusal:
            if isinstance(refusal, AnswerDoubtful):
                doubtful = len(exchanges), refusal.value  # type: ignore[assignment]
            problem = str(refusal)
            exchanges.append(replace(exchange, problem=problem))
        if completion.is_cut and (config.max_tokens_if_cut or 0) > limit:
            limit = config.max_tokens_if_cut or limit
        elif repairs and _may_be_repaired(completion):
            repairs -= 1
            messages = (*messages, *_complaint(exchange.answer, problem))
        else:
            break
    if doubtful:
        index, value = doubtful
        exchanges[index] = replace(exchanges[index], problem=None)
        return Answer(value, tuple(exchanges)), False
    raise AnswerRefused(
        f"no usable {question.name} from {config.model}, asked {_times(len(exchanges))}: "
        f"{exchanges[-1].problem}.",
        exchanges,
    )


def _ask(
    endpoint: Endpoint,
    question: Question[T],
    messages: tuple[Message, ...],
    max_tokens: int,
    earlier: Sequence[Exchange],
) -> tuple[Exchange, Completion]:
    """Return one exchange and its completion; an error carries the earlier exchanges too."""
    try:
        return endpoint.ask(
            question.name,
            messages,
            question.schema,
            seed=question.seed,
            max_tokens=max_tokens,
            images=question.images,
        )
    except ConversationFailed as failure:
        raise type(failure)(str(failure), [*earlier, *failure.exchanges]) from None


def ask_once(
    endpoint: Endpoint, config: ChatConfig, memory: LlmCache | None, question: Question[T]
) -> Answer[T]:
    """Return the parsed answer, from memory if the same was asked before.

    Raises:
        ConversationFailed: As `converse`.
    """
    memory = memory if config.reuse_answers else None
    key = endpoint.key_of(question.messages, question.schema, question.seed, question.images)
    remembered = memory.recall(key) if memory else ()
    with suppress(AnswerRefused):  # an earlier version could use it
        if remembered:
            value = read_answer(remembered[-1], question.parse)
            reused = [
                replace(exchange, is_reused=True, answer=clean(exchange.answer))
                for exchange in remembered
            ]
            return Answer(value, tuple(reused))
    answer, is_sure = converse(endpoint, config, question)
    exchanges = tuple(replace(exchange, request_key=key) for exchange in answer.exchanges)
    if memory and is_sure:
        memory.remember(key, exchanges)
    return replace(answer, exchanges=exchanges)


def read_answer(exchange: Exchange, parse: Callable[[str], T]) -> T:
    """Return the parsed answer of an exchange, which an earlier version may have stored.

    Raises:
        AnswerRefused: If it cannot be used.
    """
    if exchange.problem is not None:
        raise AnswerRefused(exchange.problem)
    text, _ = split_thoughts(clean(exchange.answer))
    try:
        return parse(text)
    except UNREADABLE as error:
        raise AnswerRefused(f"the answer cannot be read ({type(error).__name__})") from error


def _may_be_repaired(completion: Completion) -> bool:
    """Return whether the same question could get another answer."""
    is_used_up = completion.is_cut and not completion.text
    return not is_used_up and not completion.is_filtered


def _complaint(answer: str, problem: str) -> tuple[Message, Message]:
    return (
        {"role": "assistant", "content": answer or "(nothing)"},
        {"role": "user", "content": COMPLAINT.format(problem=problem)},
    )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
