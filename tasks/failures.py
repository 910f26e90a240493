"""What went wrong with an item, and what follows from it."""

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
"""Faults of the surroundings: the step waits in its row and is rung for again."""

PERMANENT = (AnswerRefused, UnknownWord, ImageMissing, ImageBroken)
"""Faults of the datum: another try would give the same."""

TRACEBACK_CHARS = 4000
"""How much of a traceback is kept, from its end."""


@dataclass(frozen=True, slots=True)
class Fault:
    """An exception in words: it holds none of the frames, whose tensors fill the device."""

    summary: str
    text: str
    is_permanent: bool
    is_out_of_memory: bool
    exchanges: tuple[Exchange, ...]

    @classmethod
    def of(cls, error: BaseException) -> "Fault":
        """Return what is to be remembered of an exception."""
        return cls(
            str(error),
            "".join(traceback.format_exception(error))[-TRACEBACK_CHARS:],
            isinstance(error, PERMANENT),
            isinstance(error, OutOfMemory),
            exchanges_of(error),
        )


def exchanges_of(error: BaseException) -> tuple[Exchange, ...]:
    """Return the questions that an exception of a language model tells of: they cost money too."""
    return error.exchanges if isinstance(error, ConversationFailed) else ()


def inputs_of(subject: object) -> dict[str, Any]:
    """Return what a step read of a subject (prompt, seed, names), as JSON knows it."""
    inputs = to_jsonable_python(subject, fallback=str)
    return inputs if isinstance(inputs, dict) else {"subject": inputs}
