"""Records of a run: labels, batches, steps, items and prompts."""

import time
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from chatgenimage.db.models.base import Base
from chatgenimage.db.states import BatchState, ItemState, RunState, StepState


class Run(Base):
    """One submission: labels, a mode and a frozen profile."""

    __tablename__ = "run"

    id: Mapped[int] = mapped_column(primary_key=True)
    request_key: Mapped[str] = mapped_column(String(64), index=True)
    """Hash of the request: the same request finds its unfinished run again."""
    models_key: Mapped[str] = mapped_column(String(64), default="")
    """Hash of the profile's families: only workers with the same families work on the run."""
    mode: Mapped[str] = mapped_column(String(16))
    seed: Mapped[int] = mapped_column(BigInteger)
    profile: Mapped[dict[str, Any]]
    """The settings that influence the results, without secrets."""
    state: Mapped[str] = mapped_column(String(16), default=RunState.ACTIVE, index=True)
    priority: Mapped[int] = mapped_column(default=0)
    """Runs with a higher priority are dispatched first."""
    budget: Mapped[float | None]
    """Maximum cost of its language model, in the currency of the profile's prices."""
    spent: Mapped[float] = mapped_column(default=0.0)
    """Cost of its language model so far: the sum of all its calls."""
    costliest_item: Mapped[float | None]
    """Cost of the language step's item that cost most so far; NULL before the first paid answer."""
    token_budget: Mapped[int | None] = mapped_column(BigInteger)
    """Maximum number of tokens, sent and received, that its language model may count."""
    spent_tokens: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    """Tokens of all its paid calls so far, as far as the server counted them."""
    longest_item_tokens: Mapped[int | None] = mapped_column(BigInteger)
    """Tokens of the language step's item that had most so far; NULL before the first answer."""
    pause_reason: Mapped[str | None] = mapped_column(Text)
    """Why the factory paused it; NULL if a person did."""
    created_at: Mapped[float] = mapped_column(default=time.time)
    """Seconds since the epoch, as every time in these tables."""
    finished_at: Mapped[float | None]
    """When it was done or cancelled."""

    labels: Mapped[list["Label"]] = relationship(back_populates="run", order_by="Label.id")


class Label(Base):
    """A class name that was requested."""

    __tablename__ = "label"
    __table_args__ = (UniqueConstraint("run_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"))
    name: Mapped[str] = mapped_column(String(200), index=True)
    mode: Mapped[str] = mapped_column(String(16))
    per_label: Mapped[int]
    """Number of requested images; with a quota, the number at the start."""
    quota: Mapped[int | None]
    """Number of requested accepted candidates; NULL without a quota."""
    max_images: Mapped[int | None]
    """Maximum number of images that may be generated for the quota."""
    features: Mapped[list[str] | None]
    """Visual features, cached for all batches of the label."""

    domains: Mapped[dict[str, str] | None] = mapped_column(JSON(none_as_null=True))
    """Domains among which its images are divided, in order, each with the words that the
    similarity model sees it by; NULL without domains."""

    run: Mapped[Run] = relationship(back_populates="labels")


class Batch(Base):
    """Up to `batch_size` candidates of one label that pass through one chain together."""

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
    """Number of images to generate."""
    state: Mapped[str] = mapped_column(String(16), default=BatchState.WAITING)
    is_held: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether it waits for the answer to its run's preview: the first batch of a label after its
    first images (steps of round 0), the others before they begin."""
    domain: Mapped[str | None] = mapped_column(String(100))
    """The one domain of its images, e.g. "at night"; NULL without domains."""
    priority: Mapped[int] = mapped_column(default=0)
    rung_at: Mapped[float | None]
    """Time of the last message for it; NULL asks the dispatcher to send one."""

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
    """Asks its worker to give the step back after the current pass."""
    started_at: Mapped[float | None]
    finished_at: Mapped[float | None]
    error: Mapped[str | None] = mapped_column(Text)
    """Why it stopped early the last time."""

    batch: Mapped[Batch] = relationship()
    items: Mapped[list["Item"]] = relationship(back_populates="step")


class Item(Base):
    """One unit of a step's work; its subject is a row of the table that the step reads.

    An extra item with the subject `db.states.WHOLE_STEP` represents a step that itself failed.
    """

    __tablename__ = "item"
    __table_args__ = (UniqueConstraint("step_id", "subject_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    step_id: Mapped[int] = mapped_column(ForeignKey("step.id"))
    subject_id: Mapped[int]
    state: Mapped[str] = mapped_column(String(16), default=ItemState.READY)
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None] = mapped_column(Text)
    """The traceback of the last failed attempt."""
    worker: Mapped[str | None] = mapped_column(String(200))
    """The worker of the last attempt."""
    inputs: Mapped[dict[str, Any] | None]
    """Inputs of a failed attempt: prompt, seed, and everything else read for the subject."""
    duration_s: Mapped[float | None]
    """Wall-clock share of this item in its forward pass."""
    gpu_peak_bytes: Mapped[int | None] = mapped_column(BigInteger)
    """Peak CUDA memory of tensors during that pass; NULL without a CUDA device."""

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
    """Whether it repeats another prompt of the label, because no new one was found."""
