"""Toy step: computes nothing, but uses the real tables."""

from sqlalchemy import select

from chatgenimage.db.models import Item, Step
from chatgenimage.tasks.step_definition import StepWork
from chatgenimage.workers.errors import OutOfMemory

SUBJECTS = (1, 2, 3, 4, 5)


class Toy:
    """A step whose items are numbers; it records every pass and every written result."""

    def __init__(self, *, failing=(), error=None, most=99):
        self.failing = set(failing)
        self.error = error or ValueError("bad item")
        self.most = most
        self.passes = []
        self.written = []
        self.before_pass = lambda: None
        self.unreadable = set()
        self.unwritable = set()
        self.work = StepWork(
            "brainstorm",
            lambda _session, _step: SUBJECTS,
            self.read,
            self.compute,
            self.write,
        )

    def read(self, _session, _step, subject):
        if subject in self.unreadable:
            raise LookupError("nothing to read")
        return {"subject": subject, "seed": 10 * subject}

    def compute(self, _resources, inputs):
        subjects = [each["subject"] for each in inputs]
        self.passes.append(subjects)
        self.before_pass()
        if len(subjects) > self.most:
            raise OutOfMemory("too many at once")
        if self.failing & set(subjects):
            raise self.error
        return [None] * len(subjects)

    def write(self, _session, _step, inputs, _result):
        if inputs["subject"] in self.unwritable:
            raise ValueError("no such text")
        self.written.append(inputs["subject"])


def first_step(place):
    with place.sessions() as session:
        return session.scalars(select(Step).order_by(Step.position)).first()


def items_of(place):
    with place.sessions() as session:
        return {item.subject_id: item for item in session.scalars(select(Item).order_by(Item.id))}


def set_options(run, **chain):
    """Change the stored options of a run."""
    run.profile = run.profile | {"chain": run.profile["chain"] | chain}
