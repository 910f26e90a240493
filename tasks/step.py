"""How every step runs: claim, plan, work in passes, finish behind the fence.

A step is stated as a `StepWork`: what its items are, how they are read, computed and written.
Everything that a queue can do to it (twice, late, killed half-way) is handled here and in
`tasks/passes.py`, once.
"""

from typing import TypeVar

import structlog
from celery.exceptions import Ignore

from db.delivery import LeaseLost
from db.failpoints import Failpoint, reach
from tasks.faults import TRANSIENT
from tasks.heartbeat import Heartbeat
from tasks.passes import Passes, claim_passes
from tasks.resources import Resources, current
from tasks.work import StepWork, options_of

__all__ = ["StepWork", "options_of", "run_step"]

log = structlog.get_logger()

In = TypeVar("In")
Out = TypeVar("Out")


def run_step(work: StepWork[In, Out], batch_id: int) -> None:
    """Do the batch's current step if it is this one and nobody holds it.

    Raises:
        Ignore: If the chain must end here; the dispatcher rings again for what is unfinished.
    """
    resources = current()
    passes = _claim(work, batch_id, resources)
    if passes is None:
        raise Ignore
    reach(Failpoint.AFTER_CLAIM)
    try:
        claim, every_s = passes.claim, resources.delivery.heartbeat_s
        with Heartbeat(resources.sessions, claim, every_s) as heartbeat:
            goes_on = passes.run(heartbeat)
    except LeaseLost:
        log.warning("lease_lost", batch_id=batch_id, step=work.name)
        raise Ignore from None
    if not goes_on:
        raise Ignore
    reach(Failpoint.BEFORE_ACK)


def _claim(work: StepWork[In, Out], batch_id: int, resources: Resources) -> Passes[In, Out] | None:
    try:
        passes = claim_passes(work, batch_id, resources)
    except TRANSIENT as error:
        log.warning("claim_failed", batch_id=batch_id, step=work.name, error=str(error))
        return None
    if passes is None:
        log.info("doorbell_answered_by_another", batch_id=batch_id, step=work.name)
    return passes
