"""Targets of faults: processes and the steps they hold."""

from dataclasses import dataclass

from sqlalchemy import select

from chatgenimage.db.models import Batch, Candidate, Step
from chatgenimage.db.session import reading
from chatgenimage.db.states import BatchState, StepState

WORK_PATIENCE_S = 3


@dataclass
class Struck:
    """A target: name of the step; batch and process, as far as they are known."""

    step: str | None
    batch_id: int | None = None
    pid: int | None = None


def any_worker(scenario):
    """Return a worker's main process; None if the run ends before one exists."""
    pids = scenario.wait_for(scenario.deployment.worker_pids)
    return scenario.random.choice(pids) if pids else None


def any_child(scenario):
    """Return a worker and its computing process; None if the run ends before one exists."""

    def find():
        return [
            (worker, child)
            for worker in scenario.deployment.worker_pids()
            for child in scenario.deployment.child_pids(worker)
        ]

    pairs = scenario.wait_for(find)
    return scenario.random.choice(pairs) if pairs else None


def held_by(scenario, worker_pid):
    """Wait a moment for a running step and return it: of that worker, or else of any."""

    def find():
        with reading(scenario.deployment.sessions) as session:
            running = session.execute(
                select(Step.name, Step.batch_id, Step.owner).where(Step.state == StepState.RUNNING)
            ).all()
        mine = [row for row in running if f"#{worker_pid}/" in f"{row.owner}/"]
        return mine or (running if worker_pid is None else None)

    held = scenario.wait_for(find, WORK_PATIENCE_S)
    return Struck(held[0].name, held[0].batch_id) if held else Struck(None)


def names_left(scenario):
    with reading(scenario.deployment.sessions) as session:
        left = select(Step.name).where(Step.state != StepState.DONE).distinct()
        return sorted(session.scalars(left))


def waits_for_space(scenario):
    with reading(scenario.deployment.sessions) as session:
        waiting = session.execute(
            select(Step.name, Step.batch_id).where(Step.error.contains("No space left"))
        ).first()
    return Struck(*waiting) if waiting else None


def image_in_flight(scenario):
    """Return the target and sha256 of a random stored image whose batch is in flight."""
    query = (
        select(Candidate.sha256, Candidate.batch_id, Step.name)
        .join(Batch, Batch.id == Candidate.batch_id)
        .join(Step, Step.batch_id == Batch.id)
        .where(Batch.state == BatchState.IN_FLIGHT, Step.state != StepState.DONE)
        .order_by(Candidate.id, Step.position)
    )
    with reading(scenario.deployment.sessions) as session:
        found = [
            row for row in session.execute(query) if row.sha256 not in scenario.deployment.spoiled
        ]
    if not found:
        return None
    chosen = scenario.random.choice(found)
    return Struck(chosen.name, chosen.batch_id), chosen.sha256
