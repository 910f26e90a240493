"""The records: what the factory remembers of a run, from the label word to the verdict.

Run 1-n Label 1-n Batch 1-n Step 1-n Item; a Batch 1-n Prompt and Candidate; a Candidate 1-n
Annotation, Score, Scene and Placement, and has a parent when it was edited or filled.
"""

import time
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    Float,
    ForeignKey,
    Index,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from db.states import BatchState, ItemState, Marked, RunState, StepState


class Base(DeclarativeBase):
    """The declarative base; names every constraint so that migrations can drop it."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        dict[str, Any]: JSON,
        list[str]: JSON,
        list[dict[str, str]]: JSON,
        list[dict[str, Any]]: JSON,
        float: Float(53),
    }


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


class Candidate(Base):
    """An image with its lineage, its labels and what became of it."""

    __tablename__ = "candidate"
    __table_args__ = (
        UniqueConstraint("label_id", "key"),
        Index("ix_candidate_run_outcome", "run_id", "verdict", "reason", "origin", "label_id"),
        Index("ix_candidate_run_label_key", "run_id", "label_id", "key"),
        Index("ix_candidate_outcome", "verdict", "reason"),
        Index("ix_candidate_batch_round", "batch_id", "round"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"))
    label_id: Mapped[int] = mapped_column(ForeignKey("label.id"), index=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey("batch.id"))
    key: Mapped[str] = mapped_column(String(200))
    """Deterministic path of its making, e.g. "b0/g3/e1/f0": the same work writes one row."""
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("candidate.id"), index=True)
    prompt_id: Mapped[int | None] = mapped_column(ForeignKey("prompt.id"))
    scene_id: Mapped[int | None] = mapped_column(
        ForeignKey("scene.id", name="fk_candidate_scene_id_scene", use_alter=True)
    )
    placement_id: Mapped[int | None] = mapped_column(
        ForeignKey("placement.id", name="fk_candidate_placement_id_placement", use_alter=True)
    )
    origin: Mapped[str] = mapped_column(String(16))
    round: Mapped[int]
    seed: Mapped[int] = mapped_column(BigInteger)
    prompt_text: Mapped[str] = mapped_column(Text)
    """What the model was told: prompt, edit instruction or fill prompt."""
    model: Mapped[dict[str, Any]]
    """Family, checkpoint, revision and settings of the model that painted it."""
    source_name: Mapped[str | None] = mapped_column(Text)
    """What a person's picture is called in its folder: to be told, never to be opened."""
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    """Of the stored PNG."""
    width_px: Mapped[int]
    height_px: Mapped[int]
    caption: Mapped[str | None] = mapped_column(Text)
    labelled_by: Mapped[dict[str, Any] | None]
    """Captioner, detector and segmenter with revisions; NULL until labelled."""
    object_count: Mapped[int] = mapped_column(default=0, server_default="0", index=True)
    """How many annotations it has."""
    verdict: Mapped[str | None] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(64))
    duplicate_of_id: Mapped[int | None] = mapped_column(ForeignKey("candidate.id"), index=True)
    """The better candidate of the run that it repeats; NULL if none does."""
    created_at: Mapped[float] = mapped_column(default=time.time)

    parent: Mapped["Candidate | None"] = relationship(
        remote_side="Candidate.id", foreign_keys=[parent_id]
    )
    label: Mapped[Label] = relationship()
    batch: Mapped[Batch] = relationship()
    scene: Mapped["Scene | None"] = relationship(foreign_keys=[scene_id])
    placement: Mapped["Placement | None"] = relationship(foreign_keys=[placement_id])
    annotations: Mapped[list["Annotation"]] = relationship(order_by="Annotation.index")
    scores: Mapped[list["Score"]] = relationship(order_by="Score.id")
    marks: Mapped[list["Mark"]] = relationship(order_by="Mark.id")

    @property
    def mark(self) -> Marked | None:
        """Return what people say of it, None if nothing."""
        is_good = self.marks[-1].is_good if self.marks else None
        return None if is_good is None else Marked.GOOD if is_good else Marked.BAD


class Annotation(Base):
    """One object on a candidate: box in pixels (xyxy, maximum exclusive), mask as COCO RLE."""

    __tablename__ = "annotation"
    __table_args__ = (
        UniqueConstraint("candidate_id", "index"),
        Index("ix_annotation_lower_label", text("lower(label)"), "candidate_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidate.id"))
    index: Mapped[int]
    label: Mapped[str] = mapped_column(String(200))
    confidence: Mapped[float]
    x_min: Mapped[float]
    y_min: Mapped[float]
    x_max: Mapped[float]
    y_max: Mapped[float]
    rle: Mapped[dict[str, Any]]
    """{"size": [height, width], "counts": str}."""
    area_px: Mapped[int]
    """True mask area."""

    @property
    def box_xyxy(self) -> tuple[float, float, float, float]:
        """Return the box in pixels of the stored image."""
        return (self.x_min, self.y_min, self.x_max, self.y_max)


class Scene(Base):
    """What the language model imagined around a parent candidate."""

    __tablename__ = "scene"
    __table_args__ = (UniqueConstraint("candidate_id", "index"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidate.id"))
    index: Mapped[int]
    background: Mapped[str] = mapped_column(Text)
    objects: Mapped[list[str]]
    description: Mapped[str] = mapped_column(Text)

    candidate: Mapped[Candidate] = relationship(foreign_keys=[candidate_id])


class Placement(Base):
    """An object that the language model proposed to add, valid or refused with a reason."""

    __tablename__ = "placement"
    __table_args__ = (UniqueConstraint("candidate_id", "index"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidate.id"))
    index: Mapped[int]
    label: Mapped[str] = mapped_column(String(200))
    x_min: Mapped[float]
    y_min: Mapped[float]
    x_max: Mapped[float]
    y_max: Mapped[float]
    relationship_text: Mapped[str] = mapped_column(Text)
    problem: Mapped[str | None] = mapped_column(String(64))
    """Which rule of Table 1 it breaks; NULL if it may be filled."""

    candidate: Mapped[Candidate] = relationship(foreign_keys=[candidate_id])

    @property
    def box_xyxy(self) -> tuple[float, float, float, float]:
        """Return the box in pixels of the stored image."""
        return (self.x_min, self.y_min, self.x_max, self.y_max)


class Score(Base):
    """A named measurement on a candidate, beside the threshold it was held to."""

    __tablename__ = "score"
    __table_args__ = (
        UniqueConstraint("candidate_id", "name"),
        Index("ix_score_name_value", "name", "value", "candidate_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidate.id"))
    name: Mapped[str] = mapped_column(String(32))
    value: Mapped[float]
    threshold: Mapped[float | None]
    passed: Mapped[bool | None]
    """NULL for a score that is recorded but not judged."""


class Fingerprint(Base):
    """What near-duplicates of a candidate are found by."""

    __tablename__ = "fingerprint"

    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidate.id"), primary_key=True)
    phash: Mapped[str] = mapped_column(String(16))
    """Perceptual hash: 64 bits as hexadecimal digits."""
    embedding: Mapped[bytes]
    """The image's CLIP embedding: a unit vector in half precision, little-endian."""


class Rejudging(Base):
    """All of a run's verdicts derived again from its scores, under other thresholds."""

    __tablename__ = "rejudging"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), index=True)
    created_at: Mapped[float] = mapped_column(default=time.time)
    author: Mapped[str] = mapped_column(String(200))
    """Who asked for it, as user@host."""
    limits: Mapped[dict[str, Any]]
    """The threshold of each rule, by the score's name."""

    changes: Mapped[list["VerdictChange"]] = relationship(order_by="VerdictChange.id")


class VerdictChange(Base):
    """What a rejudging changed about one candidate."""

    __tablename__ = "verdict_change"
    __table_args__ = (UniqueConstraint("rejudging_id", "candidate_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    rejudging_id: Mapped[int] = mapped_column(ForeignKey("rejudging.id"))
    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidate.id"), index=True)
    verdict_before: Mapped[str] = mapped_column(String(16))
    reason_before: Mapped[str | None] = mapped_column(String(64))
    verdict_after: Mapped[str] = mapped_column(String(16))
    reason_after: Mapped[str | None] = mapped_column(String(64))


class Mark(Base):
    """What a person said of a candidate; rows are only ever added, the newest stands."""

    __tablename__ = "mark"

    id: Mapped[int] = mapped_column(primary_key=True)
    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidate.id"), index=True)
    is_good: Mapped[bool | None]
    """NULL takes back what was said before."""
    author: Mapped[str] = mapped_column(String(200))
    """Who said so, as user@host."""
    created_at: Mapped[float] = mapped_column(default=time.time)


class LlmCall(Base):
    """One question to a language model, its raw answer and its cost."""

    __tablename__ = "llm_call"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), index=True)
    step_id: Mapped[int] = mapped_column(ForeignKey("step.id"), index=True)
    subject_id: Mapped[int]
    question: Mapped[str] = mapped_column(String(32))
    model: Mapped[str] = mapped_column(String(200))
    messages: Mapped[list[dict[str, str]]]
    answer: Mapped[str] = mapped_column(Text)
    prompt_tokens: Mapped[int]
    completion_tokens: Mapped[int]
    duration_s: Mapped[float]
    problem: Mapped[str | None] = mapped_column(Text)
    request_key: Mapped[str | None] = mapped_column(String(64), index=True)
    """Hash of the request that opened the conversation; NULL for a rule book."""
    is_reused: Mapped[bool] = mapped_column(default=False)
    """Whether the answer was remembered from an earlier call, which had been paid for."""
    cost: Mapped[float] = mapped_column(default=0.0)
    """In the currency of the profile's prices; 0 if reused."""
    created_at: Mapped[float] = mapped_column(default=time.time)


class LlmAnswer(Base):
    """A conversation with a language model that ended well, kept to answer the same request."""

    __tablename__ = "llm_answer"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    """Hash of the request: server, model, messages and parameters."""
    exchanges: Mapped[list[dict[str, Any]]]
    """All of the conversation, the used answer last."""
    created_at: Mapped[float] = mapped_column(default=time.time)
