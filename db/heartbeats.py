"""Heartbeats of workers, and the queues of a run that no worker serves."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from chatgenimage.db.clock import now
from chatgenimage.db.delivery_statements import IS_RELEASED
from chatgenimage.db.dispatching import in_flight
from chatgenimage.db.models import Batch, LiveWorker, Run, Step
from chatgenimage.db.states import BatchState, RunState, StepState

BEAT_S = 5.0
SILENT_S = 30.0
"""A worker without a heartbeat for so long counts as ended."""


@dataclass(frozen=True, slots=True)
class Service:
    """The workers for an active run.

    Attributes:
        unserved: Queues of its next steps that no worker takes, in the order of the chain.
        loading: Number of workers that load their models.
        ready: Number of workers whose models are loaded.
    """

    unserved: tuple[str, ...] = ()
    loading: int = 0
    ready: int = 0


def beat(
    session: Session, name: str, queues: Sequence[str], models_key: str, *, is_ready: bool | None
) -> None:
    """Write a heartbeat of a worker.

    Args:
        session: An open transaction.
        name: Of the worker's parent process.
        queues: Those that it serves.
        models_key: Hash of its families.
        is_ready: Whether its models are loaded; None: as before, and false at first.
    """
    values: dict[str, object] = {"queues": list(queues), "models_key": models_key}
    values |= {"beat_at": now(session)} | ({} if is_ready is None else {"is_ready": is_ready})
    found = session.connection().execute(
        update(LiveWorker).where(LiveWorker.name == name).values(values)
    )
    if not found.rowcount:
        session.add(LiveWorker(name=name, **{"is_ready": False, **values}))


def note_ready(session: Session, name: str) -> None:
    """Write that the models of a worker are loaded."""
    session.execute(update(LiveWorker).where(LiveWorker.name == name).values(is_ready=True))


def remove(session: Session, name: str) -> None:
    """Delete a worker that ends, and those that are silent for very long."""
    session.execute(delete(LiveWorker).where(LiveWorker.name == name))
    long_ago = now(session) - 100 * SILENT_S
    session.execute(delete(LiveWorker).where(LiveWorker.beat_at < long_ago))


def find_service(session: Session, run: Run, queues: Sequence[str]) -> Service:
    """Return which workers there are for a run; nothing for a run that is not active.

    Args:
        session: To read with.
        run: Which run.
        queues: Every queue, in the order of the chain.
    """
    if run.state != RunState.ACTIVE:
        return Service()
    silent_since = now(session) - SILENT_S
    workers = session.scalars(
        select(LiveWorker).where(
            LiveWorker.beat_at >= silent_since, LiveWorker.models_key == run.models_key
        )
    ).all()
    served = {queue for worker in workers for queue in worker.queues}
    needed = _find_needed(session, run.id) or _find_first(session, run.id, queues)
    ready = sum(worker.is_ready for worker in workers)
    return Service(
        tuple(queue for queue in queues if queue in needed - served), len(workers) - ready, ready
    )


def _find_needed(session: Session, run_id: int) -> set[str]:
    """Return the queues of the steps that come next and that no worker holds."""
    query = in_flight(Step.queue).where(Run.id == run_id, Step.state == StepState.READY)
    query = query.where(IS_RELEASED)
    return set(session.scalars(query.distinct()))


def _find_first(session: Session, run_id: int, queues: Sequence[str]) -> set[str]:
    """Return all queues if batches wait and none has begun."""
    begun = select(Batch.id).where(Batch.run_id == run_id, Batch.state != BatchState.WAITING)
    is_new = session.scalar(begun.limit(1)) is None
    return set(queues) if is_new else set()
