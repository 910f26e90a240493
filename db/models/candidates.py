"""Records of images, their annotations, and the scenes and placements proposed for them."""

import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from chatgenimage.db.models.base import Base
from chatgenimage.db.models.runs import Batch, Label
from chatgenimage.db.states import Marked

if TYPE_CHECKING:
    from chatgenimage.db.models.judgements import Mark, Score
    from chatgenimage.db.models.object_reviews import ObjectReview


LABEL_NEGATIVE_PROMPT = "label_negative_prompt"
"""Key in a candidate's model settings: the negative prompt of its label."""


class Candidate(Base):
    """An image with its lineage, its labels and its verdict."""

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
    """Deterministic path, e.g. "b0/g3/e1/f0"; repeated work writes the same row."""
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
    """The text that the model got: prompt, edit instruction or fill prompt."""
    model: Mapped[dict[str, Any]]
    """Family, checkpoint, revision and settings of the model that generated it."""
    source_name: Mapped[str | None] = mapped_column(Text)
    """File name of an imported image in its folder; only shown, never opened."""
    source_width_px: Mapped[int | None]
    """Width of the imported file, upright; NULL if it is not known."""
    source_height_px: Mapped[int | None]
    source_sha256: Mapped[str | None] = mapped_column(String(64))
    """SHA-256 of the imported file."""
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    """SHA-256 of the stored PNG."""
    width_px: Mapped[int]
    height_px: Mapped[int]
    caption: Mapped[str | None] = mapped_column(Text)
    labelled_by: Mapped[dict[str, Any] | None]
    """Captioner, detector and segmenter with revisions; NULL until labelled."""
    object_count: Mapped[int] = mapped_column(default=0, server_default="0", index=True)
    """Number of annotations."""
    verdict: Mapped[str | None] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(64))
    duplicate_of_id: Mapped[int | None] = mapped_column(ForeignKey("candidate.id"), index=True)
    """The better candidate of the run of which this is a near-duplicate; NULL if none."""
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
    object_reviews: Mapped[list["ObjectReview"]] = relationship(order_by="ObjectReview.id")

    @property
    def domain(self) -> str | None:
        """Return the domain that its batch is of, None if it has none."""
        return self.batch.domain

    @property
    def negative_prompt(self) -> str | None:
        """Return the negative prompt of its label, else of its model; None: it has none."""
        settings = self.model.get("settings", {})
        return settings.get(LABEL_NEGATIVE_PROMPT) or settings.get("negative_prompt") or None

    @property
    def mark(self) -> Marked | None:
        """Return the newest review, None if there is none."""
        is_good = self.marks[-1].is_good if self.marks else None
        return None if is_good is None else Marked.GOOD if is_good else Marked.BAD


class HasBox:
    """Columns of a box: its sides in pixels of the stored image, the maximum sides exclusive."""

    x_min: Mapped[float]
    y_min: Mapped[float]
    x_max: Mapped[float]
    y_max: Mapped[float]

    @property
    def box_xyxy(self) -> tuple[float, float, float, float]:
        """Return the box in pixels of the stored image."""
        return (self.x_min, self.y_min, self.x_max, self.y_max)


class Annotation(HasBox, Base):
    """One object on a candidate: box in pixels (xyxy, maximum exclusive), mask as COCO RLE."""

    __tablename__ = "annotation"
    __table_args__ = (
        UniqueConstraint("candidate_id", "index"),
        Index("ix_annotation_lower_label", text("lower(label)"), "candidate_id"),
        Index("ix_annotation_confidence_candidate_id", "confidence", "candidate_id"),
        Index("ix_annotation_area_px_candidate_id", "area_px", "candidate_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidate.id"))
    index: Mapped[int]
    label: Mapped[str] = mapped_column(String(200))
    confidence: Mapped[float]
    rle: Mapped[dict[str, Any]]
    """{"size": [height, width], "counts": str}."""
    area_px: Mapped[int]
    """Area of the true mask, in pixels."""


class Scene(Base):
    """A scene that the language model imagined for a parent candidate."""

    __tablename__ = "scene"
    __table_args__ = (UniqueConstraint("candidate_id", "index"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidate.id"))
    index: Mapped[int]
    background: Mapped[str] = mapped_column(Text)
    objects: Mapped[list[str]]
    description: Mapped[str] = mapped_column(Text)

    candidate: Mapped[Candidate] = relationship(foreign_keys=[candidate_id])


class Placement(HasBox, Base):
    """An object that the language model proposed to add, valid or refused with a problem."""

    __tablename__ = "placement"
    __table_args__ = (UniqueConstraint("candidate_id", "index"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidate.id"))
    index: Mapped[int]
    label: Mapped[str] = mapped_column(String(200))
    relationship_text: Mapped[str] = mapped_column(Text)
    problem: Mapped[str | None] = mapped_column(String(64))
    """The rule of Table 1 that it breaks; NULL if it may be filled."""

    candidate: Mapped[Candidate] = relationship(foreign_keys=[candidate_id])
