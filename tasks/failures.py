"""Failures of items: which exceptions are transient or permanent, and what is stored of them."""

import traceback
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_jsonable_python
from sqlalchemy.exc import InterfaceError, OperationalError

from chatgenimage.db.errors import (
    DatabaseUnavailable,
    ImageBroken,
    ImageMissing,
    StorageUnavailable,
)
from chatgenimage.workers.errors import AnswerRefused, ConversationFailed, OutOfMemory, UnknownWord
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

PERMANENT = (AnswerRefused, UnknownWord, ImageMissing, ImageBroken)
"""Failures caused by the data: another attempt would fail in the same way."""

TRACEBACK_CHARS = 4000
"""Length of the stored traceback, in characters from its end."""


@dataclass(frozen=True, slots=True)
class Fault:
    """An exception as text, without its frames, whose tensors would fill the device's memory."""

    summary: str
    text: str
    is_permanent: bool
    is_out_of_memory: bool
    exchanges: tuple[Exchange, ...]

    @classmethod
    def of(cls, error: BaseException) -> "Fault":
        """Return the stored form of an exception."""
        return cls(
            str(error),
            "".join(traceback.format_exception(error))[-TRACEBACK_CHARS:],
            isinstance(error, PERMANENT),
            isinstance(error, OutOfMemory),
            exchanges_of(error),
        )


def exchanges_of(error: BaseException) -> tuple[Exchange, ...]:
    """Return the exchanges attached to a language model's exception: they cost money too."""
    return error.exchanges if isinstance(error, ConversationFailed) else ()


def inputs_of(subject: object) -> dict[str, Any]:
    """Return the inputs of a step for one subject (prompt, seed, names), as JSON values."""
    inputs = to_jsonable_python(subject, fallback=str)
    return inputs if isinstance(inputs, dict) else {"subject": inputs}
