"""How far each kind of step of a run has come, over all labels."""

from collections import Counter
from dataclasses import dataclass

from db.overview import Overview
from tasks.chain import QUEUES


@dataclass(frozen=True, slots=True)
class StepProgress:
    """How far one kind of step has come."""

    name: str
    done: int
    running: int
    quarantined: int
    total: int


def sum_steps(now: Overview) -> list[StepProgress]:
    """Return the steps in the order of the chain."""
    sums: dict[str, Counter[str]] = {name: Counter() for name in QUEUES}
    for count in now.steps:
        sums[count.step] += Counter(
            done=count.done,
            running=count.running,
            quarantined=count.quarantined,
            total=count.waiting + count.running + count.done + count.quarantined,
        )
    return [
        StepProgress(name, n["done"], n["running"], n["quarantined"], n["total"])
        for name, n in sums.items()
        if n["total"]
    ]
