"""Background threads of a worker process, which read and store images while the device computes.

The main thread computes. One thread writes passes, one after the other and never more than one
behind; a few threads read, encode and store single images. So four passes of images are in memory
at most: one is written, one is computed, and the images of two are read ahead: of the step's next
pass and of the next step.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from functools import wraps
from typing import Any, TypeVar

from celery import current_task, signature
from celery._state import _task_stack  # type: ignore[attr-defined]  # typeshed has no private names

T = TypeVar("T")

IMAGE_THREADS = 4
"""Two keep two cores busy; an image store over a network answers several at once."""


class PassThreads:
    """The background threads of one process.

    Attributes:
        search: The search for the images of the next step (`next_step_images`).
    """

    def __init__(self) -> None:
        self.search: Future[Any] | None = None
        self._search_ended = threading.Event()
        self._searches = ThreadPoolExecutor(1, "search")
        self._images = ThreadPoolExecutor(IMAGE_THREADS, "images")
        self._passes = ThreadPoolExecutor(1, "passes")
        self._last: Future[Any] | None = None

    def start(self, function: Callable[..., T], *arguments: Any) -> "Future[T]":  # noqa: ANN401  # any call
        """Start a call that reads or stores one image."""
        return self._images.submit(_of_this_task(function), *arguments)

    def start_search(self, search: Callable[[threading.Event], Any]) -> None:
        """Start a search, which ends with its result or soon after its event is set."""
        self._search_ended.set()
        self._search_ended = threading.Event()
        self.search = self._searches.submit(_of_this_task(search), self._search_ended)

    def end_search(self) -> "Future[Any] | None":
        """End the search that was started; return it, done or not."""
        self._search_ended.set()
        search, self.search = self.search, None
        return search

    def write(self, job: Callable[[], T]) -> "Future[T]":
        """Start to write a pass; wait before that until the previous pass is written."""
        self.drain()
        return self.add(job)

    def add(self, job: Callable[[], T]) -> "Future[T]":
        """Queue a call behind the pass that is being written."""
        future = self._passes.submit(_of_this_task(job))
        self._last = future
        return future

    def drain(self) -> None:
        """Wait until all passes are written."""
        if self._last is not None:
            wait([self._last])

    def close(self) -> None:
        """Wait until all passes are written, and end the threads; nothing more is read ahead."""
        self._passes.shutdown()
        self.end_search()
        self._searches.shutdown(wait=False, cancel_futures=True)
        self._images.shutdown(wait=False, cancel_futures=True)


def take_rest_of_chain() -> Callable[[], None]:
    """Take the rest of the chain from the current message; return a function that sends it.

    Celery then sends nothing when the task ends: its step is not written yet.
    """
    if not current_task:
        return lambda: None
    request, app = current_task.request, current_task.app
    links: list[Any] = list(request.chain or ())
    request.chain = None

    def send() -> None:
        """Send the next link of the chain, once; nothing if it was the last."""
        if links:
            following = signature(links.pop(), app=app)
            following.apply_async(chain=links, parent_id=request.id, root_id=request.root_id)

    return send


def _of_this_task(function: Callable[..., T]) -> Callable[..., T]:
    """Return the call as a part of the current Celery task: logs and failpoints see its name."""
    context = copy_context()
    task = current_task.app.tasks[current_task.name] if current_task else None
    request = task.request_stack.top if task else None

    @wraps(function)
    def call(*arguments: Any) -> T:  # noqa: ANN401  # those of the function
        """Call the function in the context of the task that starts it."""
        if task is None or request is None:
            return context.run(function, *arguments)
        _task_stack.push(task)
        task.request_stack.push(request)
        try:
            return context.run(function, *arguments)
        finally:
            task.request_stack.pop()
            _task_stack.pop()

    return call
