"""Ask a language model about several subjects at the same time."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar

from chatgenimage.tasks.failures import SomeFailed

In = TypeVar("In")
Out = TypeVar("Out")


def ask_each(ask: Callable[[In], Out], subjects: Sequence[In]) -> list[Out]:
    """Return the answer about each subject, in order; each is asked in a thread of its own.

    The family limits how many requests its server gets at the same time.

    Raises:
        SomeFailed: If a call failed and there are several; carries all answers and failures.
    """
    if len(subjects) == 1:
        return [ask(subjects[0])]
    threads = ThreadPoolExecutor(len(subjects), thread_name_prefix="ask")
    try:
        calls = [threads.submit(copy_context().run, ask, subject) for subject in subjects]
        outcomes = [_outcome_of(call) for call in calls]
    finally:
        # A time limit may interrupt this thread: it does not wait for the answers then.
        threads.shutdown(wait=False, cancel_futures=True)
    if any(isinstance(outcome, Exception) for outcome in outcomes):
        raise SomeFailed(outcomes)
    return [call.result() for call in calls]


def _outcome_of(call: "Future[Any]") -> Any:  # noqa: ANN401  # or an exception
    """Return the result of a call, or why it failed."""
    error = call.exception()
    return error if isinstance(error, Exception) else call.result()
