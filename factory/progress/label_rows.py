"""Labels of a run that fit on a screen, and how many others there are."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from chatgenimage.db.label_progress import (
    LabelOrder,
    LabelProgress,
    LabelState,
    LabelStates,
    count_label_states,
    count_reasons,
    list_label_progress,
)
from chatgenimage.db.run_progress import StepCount, count_label_steps
from chatgenimage.db.runs import count_labels


@dataclass(frozen=True, slots=True)
class LabelRows:
    """Some labels of a run.

    Attributes:
        labels: As submitted if they are all; else those in work first, then those that lack most.
        reasons: Number of rejected candidates by label id and reason, most frequent first.
        steps: Items of each step of these labels.
        total: Number of labels of the run.
        states: Number of labels of the run by state.
    """

    labels: tuple[LabelProgress, ...]
    reasons: Mapping[int, Mapping[str, int]]
    steps: tuple[StepCount, ...]
    total: int
    states: LabelStates

    def count_rest(self, shown: int) -> LabelStates:
        """Return the states of the labels that are not among the first `shown`."""
        states = [one.state for one in self.labels[:shown]]
        waiting, done = states.count(LabelState.WAITING), states.count(LabelState.DONE)
        return LabelStates(
            self.states.in_flight - (len(states) - waiting - done),
            self.states.waiting - waiting,
            self.states.done - done,
        )


def read_label_rows(session: Session, run_id: int, most: int) -> LabelRows:
    """Return the labels of a run, `most` at most."""
    total = count_labels(session, run_id)
    order = LabelOrder.SUBMITTED if total <= most else LabelOrder.ACTIVE
    labels = list_label_progress(session, run_id, order, limit=most)
    ids = [one.label_id for one in labels]
    return LabelRows(
        labels=tuple(labels),
        reasons=count_reasons(session, run_id, ids),
        steps=count_label_steps(session, run_id, label_ids=ids),
        total=total,
        states=count_label_states(session, run_id, total),
    )
