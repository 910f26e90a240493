"""Images of the step that a worker will probably get next, read while the device computes.

It is a guess: no row is changed. If another worker gets the step, the images were read for nothing.
"""

import threading
from concurrent.futures import Future
from itertools import islice
from typing import Any

import structlog

from chatgenimage.db.next_steps import find_next_step
from chatgenimage.db.session import reading
from chatgenimage.tasks.pass_images import PassImages
from chatgenimage.tasks.pass_threads import PassThreads
from chatgenimage.tasks.resources import Resources
from chatgenimage.tasks.step_definition import StepWork, options_of, reads_no_images

log = structlog.get_logger()

FIRST_PAUSE_S = 0.04
"""Pause after the first search that finds nothing, seconds; each further one is twice as long."""

Found = tuple[int, PassImages]
"""Id of the step, and the images of its first pass."""


def look_ahead(work: StepWork[Any, Any, Any], resources: Resources, threads: PassThreads) -> None:
    """Start to look for the next step of this kind, and to read the images of its first pass."""
    if work.images_of is not reads_no_images:
        before = _found(threads.search)
        threads.start_search(lambda ended: _search(ended, work, resources, threads, before))


def take_ahead(threads: PassThreads) -> PassImages | None:
    """Return the images that were found, if any; they are kept no longer."""
    found = _found(threads.end_search())
    return found[1] if found else None


def _found(search: Future[Found | None] | None) -> Found | None:
    """Return the result of a search; None if it is not done, failed or found nothing."""
    if search is None or not search.done():
        return None
    if error := search.exception():
        log.info("next_step_not_found", error=str(error))
        return None
    return search.result()


def _search(
    ended: threading.Event,
    work: StepWork[Any, Any, Any],
    resources: Resources,
    threads: PassThreads,
    before: Found | None,
) -> Found | None:
    """Search until a step is found: that of another worker may end during this pass."""
    pause_s = FIRST_PAUSE_S
    while not (found := _find(work, resources, threads, before)) and not ended.wait(pause_s):
        pause_s *= 2
    return found


def _find(
    work: StepWork[Any, Any, Any], resources: Resources, threads: PassThreads, before: Found | None
) -> Found | None:
    """Return what was found before if it is still the next step, else search."""
    with reading(resources.sessions) as session:
        step = find_next_step(session, work.name, resources.models_key)
        if step is None or (before and before[0] == step.id):
            return before if step else None
        wanted = work.pass_size or options_of(step).chain.batch_size
        most = resources.pass_sizes.limit(work.name, wanted)
        subject_ids = islice(work.plan(session, step), most)
        subjects = [work.read(session, step, subject_id) for subject_id in subject_ids]
    names = [name for subject in subjects for name in work.images_of(subject)]
    return step.id, PassImages(resources.images, threads, names)
