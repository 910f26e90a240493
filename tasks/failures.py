"""Failures of items: which exceptions are transient or permanent, and what is stored of them."""

import re
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from pydantic_core import to_jsonable_python
from sqlalchemy.exc import InterfaceError, OperationalError, StatementError

from chatgenimage.db.errors import (
    DatabaseUnavailable,
    ImageBroken,
    ImageMissing,
    StorageUnavailable,
)
from chatgenimage.tasks.errors import LabelUnread
from chatgenimage.workers.errors import (
    AnswerRefused,
    ConversationFailed,
    ImageWithheld,
    NotANumber,
    OutOfMemory,
    UnfitOptions,
    UnknownWord,
)
from chatgenimage.workers.llm.text import clean
from chatgenimage.workers.values import Exchange

TRANSIENT = (
    OperationalError,
    InterfaceError,
    DatabaseUnavailable,
    StorageUnavailable,
    ConnectionError,
    TimeoutError,
)
"""Transient failures of the environment: the step waits and is queued again."""

PERMANENT = (
    *(AnswerRefused, UnknownWord, LabelUnread, NotANumber, ImageWithheld, UnfitOptions),
    *(ImageMissing, ImageBroken),
)
"""Failures caused by the data: another attempt would fail in the same way."""

LIBRARY_PAGE = re.compile(r"\n\(Background on this error at: [^)]*\)")
"""A link that SQLAlchemy puts last, where the reason should be."""

TRACEBACK_CHARS = 4000
"""Length of the stored traceback, in characters from its end."""


@dataclass(frozen=True, slots=True)
class Fault:
    """An exception as text, without its frames, whose tensors would fill the device's memory.

    Attributes:
        summary: The exception's message.
        text: The end of its traceback; the last line is the reason.
        is_permanent: Whether another try would give the same.
        is_out_of_memory: Whether the device's memory was too small.
        exchanges: Calls of a language model before the exception; they were paid for.
        is_unwritable: Whether the result could not be written.
    """

    summary: str
    text: str
    is_permanent: bool
    is_out_of_memory: bool
    exchanges: tuple[Exchange, ...]
    is_unwritable: bool = False

    @classmethod
    def of(cls, error: BaseException) -> "Fault":
        """Return the stored form of an exception."""
        reason = database_reason(error)
        lines = "".join(traceback.format_exception(error))
        if reason:
            lines = f"{LIBRARY_PAGE.sub('', lines)}\n{reason}\n"
        return cls(
            reason or str(error),
            clean(lines)[-TRACEBACK_CHARS:],
            isinstance(error, PERMANENT),
            isinstance(error, OutOfMemory),
            exchanges_of(error),
        )

    @classmethod
    def of_unwritable(cls, error: BaseException, results: Sequence[object]) -> "Fault":
        """Return what is to be remembered of results that could not be written.

        Their conversations were paid for, and no answer of theirs counts as used.
        """
        fault = cls.of(error)
        problem = f"it could not be stored: {fault.summary}"
        paid = [
            replace(exchange, problem=exchange.problem or problem)
            for result in results
            for exchange in getattr(result, "exchanges", ())
        ]
        return replace(fault, exchanges=tuple(paid), is_unwritable=True)


def database_reason(error: BaseException) -> str | None:
    """Return in one line why the database refused a statement; None for other errors."""
    if not isinstance(error, StatementError) or error.orig is None:
        return None
    return f"the database refused it: {' '.join(str(error.orig).split())}"


def exchanges_of(error: BaseException) -> tuple[Exchange, ...]:
    """Return the exchanges attached to a language model's exception: they cost money too."""
    return error.exchanges if isinstance(error, ConversationFailed) else ()


def inputs_of(subject: object) -> dict[str, Any]:
    """Return the inputs of a step for one subject (prompt, seed, names), as JSON values."""
    inputs = to_jsonable_python(subject, fallback=str)
    return inputs if isinstance(inputs, dict) else {"subject": inputs}


class SomeFailed(Exception):
    """Some subjects of a pass failed, each by itself; the others have results.

    Attributes:
        outcomes: The result or the exception of each subject, in order.
    """

    def __init__(self, outcomes: Sequence[Any]) -> None:
        super().__init__(f"{sum(isinstance(each, Exception) for each in outcomes)} failed")
        self.outcomes = outcomes


class WriteFailed(Exception):
    """A result could not be written, because of the result itself."""


class StepFailed(Exception):
    """A step could not be planned or concluded; no single item is the cause."""


@contextmanager
def faults_of_the_step() -> Iterator[None]:
    """Raise what fails inside, unless it is transient, as a failure of the step.

    Raises:
        StepFailed: With the failure as its cause.
    """
    try:
        yield
    except TRANSIENT:
        raise
    except Exception as error:
        raise StepFailed from error
