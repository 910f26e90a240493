"""What was asked for, and the work that it makes."""

import time
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from chatgenimage.db.models.base import Base
from chatgenimage.db.states import BatchState, ItemState, RunState, StepState


class Run(Base):
    """One submission: labels, a mode and a frozen profile."""

    __tablename__ = "run"

    id: Mapped[int] = mapped_column(primary_key=True)
    request_key: Mapped[str] = mapped_column(String(64), index=True)
    """Hash of what was asked for: the same request finds its unfinished run again."""
    models_key: Mapped[str] = mapped_column(String(64), default="")
    """Hash of the profile's families: only workers that load the same may work on the run."""
    mode: Mapped[str] = mapped_column(String(16))
    seed: Mapped[int] = mapped_column(BigInteger)
    profile: Mapped[dict[str, Any]]
    """The settings that shape results, without secrets."""
    state: Mapped[str] = mapped_column(String(16), default=RunState.ACTIVE, index=True)
    priority: Mapped[int] = mapped_column(default=0)
    """Higher runs are dispatched first."""
    budget: Mapped[float | None]
    """Most that its language model may cost, in the currency of the profile's prices."""
    spent: Mapped[float] = mapped_column(default=0.0)
    """What its language model has cost so far: the sum of its calls' costs."""
    pause_reason: Mapped[str | None] = mapped_column(Text)
    """Why the factory paused it; NULL if a person did."""
    created_at: Mapped[float] = mapped_column(default=time.time)
    """Seconds since the epoch, as every time in these tables."""
    finished_at: Mapped[float | None]

    labels: Mapped[list["Label"]] = relationship(back_populates="run")


class Label(Base):
    """A class name that a person asked for."""

    __tablename__ = "label"
    __table_args__ = (UniqueConstraint("run_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"))
    name: Mapped[str] = mapped_column(String(200), index=True)
    mode: Mapped[str] = mapped_column(String(16))
    per_label: Mapped[int]
    """How many images were asked for; with a quota, at first."""
    quota: Mapped[int | None]
    """How many accepted candidates are asked for; NULL if none are counted."""
    max_images: Mapped[int | None]
    """Most images that may be generated for the quota."""
    features: Mapped[list[str] | None]
    """Visual features, cached for all batches of the label."""

    run: Mapped[Run] = relationship(back_populates="labels")


class Batch(Base):
    """Up to `batch_size` candidates of one label that travel together down one chain."""

    __tablename__ = "batch"
    __table_args__ = (
        UniqueConstraint("label_id", "index"),
        Index("ix_batch_state_priority", "state", "priority", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), index=True)
    label_id: Mapped[int] = mapped_column(ForeignKey("label.id"))
    index: Mapped[int]
    size: Mapped[int]
    """How many images are generated."""
    state: Mapped[str] = mapped_column(String(16), default=BatchState.WAITING)
    priority: Mapped[int] = mapped_column(default=0)
    rung_at: Mapped[float | None]
    """When a chain was last sent for it; NULL asks the dispatcher to ring."""

    run: Mapped[Run] = relationship()
    label: Mapped[Label] = relationship()


class Step(Base):
    """One stage of a batch's chain: claimed under a token and a lease, by compare-and-set."""

    __tablename__ = "step"
    __table_args__ = (UniqueConstraint("batch_id", "position"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey("batch.id"))
    position: Mapped[int]
    name: Mapped[str] = mapped_column(String(32))
    queue: Mapped[str] = mapped_column(String(32))
    round: Mapped[int]
    state: Mapped[str] = mapped_column(String(16), default=StepState.READY, index=True)
    attempts: Mapped[int] = mapped_column(default=0)
    """Counted at the claim, so that crashes count."""
    token: Mapped[str | None] = mapped_column(String(32))
    owner: Mapped[str | None] = mapped_column(String(200))
    lease_until: Mapped[float | None]
    run_after: Mapped[float] = mapped_column(default=0.0)
    stop_requested: Mapped[bool] = mapped_column(default=False)
    """Asks whoever runs it to give the rest back after the pass in hand."""
    started_at: Mapped[float | None]
    finished_at: Mapped[float | None]
    error: Mapped[str | None] = mapped_column(Text)
    """Why it last stopped early."""

    batch: Mapped[Batch] = relationship()
    items: Mapped[list["Item"]] = relationship(back_populates="step")


class Item(Base):
    """One unit of a step's work; its subject is a row of the table that the step reads.

    One more, with the subject `db.states.WHOLE_STEP`, stands for a step that itself failed.
    """

    __tablename__ = "item"
    __table_args__ = (UniqueConstraint("step_id", "subject_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    step_id: Mapped[int] = mapped_column(ForeignKey("step.id"))
    subject_id: Mapped[int]
    state: Mapped[str] = mapped_column(String(16), default=ItemState.READY, index=True)
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None] = mapped_column(Text)
    """The traceback of the last try that failed."""
    worker: Mapped[str | None] = mapped_column(String(200))
    """Who tried it last."""
    inputs: Mapped[dict[str, Any] | None]
    """What a try that failed was given: prompt, seed, what else the step reads of the subject."""
    duration_s: Mapped[float | None]
    """Wall-clock share of this item in its forward pass."""
    gpu_peak_bytes: Mapped[int | None] = mapped_column(BigInteger)
    """Most that tensors took of the CUDA device during that pass; NULL without one."""

    step: Mapped[Step] = relationship(back_populates="items")


class Prompt(Base):
    """The exact text given to the generator."""

    __tablename__ = "prompt"
    __table_args__ = (UniqueConstraint("batch_id", "index"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey("batch.id"))
    index: Mapped[int]
    text: Mapped[str] = mapped_column(Text)
    is_repeat: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether it says what another prompt of the label says: nothing new was found."""
