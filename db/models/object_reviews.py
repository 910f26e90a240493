"""Records of people's corrections of objects."""

import time

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from chatgenimage.db.models.base import Base


class ObjectReview(Base):
    """One correction of a candidate's objects by a person; rows are only added.

    The annotations stay as the models found them; `db.object_reviews` applies the corrections.
    """

    __tablename__ = "annotation_review"
    __table_args__ = (Index("ix_annotation_review_current", "is_current", "label"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidate.id"), index=True)
    action: Mapped[str] = mapped_column(String(16))
    """An `ObjectAction`."""
    annotation_id: Mapped[int | None] = mapped_column(ForeignKey("annotation.id"), index=True)
    """The annotation that it corrects; NULL for an object that a person added."""
    added_id: Mapped[int | None] = mapped_column(ForeignKey("annotation_review.id"))
    """The review that added the object which this one corrects."""
    undoes_id: Mapped[int | None] = mapped_column(ForeignKey("annotation_review.id"))
    """The review that it takes back."""
    label: Mapped[str | None] = mapped_column(String(200))
    """Label of the object from now on, and its box in pixels; NULL if the action has none."""
    x_min: Mapped[float | None]
    y_min: Mapped[float | None]
    x_max: Mapped[float | None]
    y_max: Mapped[float | None]
    author: Mapped[str] = mapped_column(String(200))
    """The reviewer, as user@host."""
    created_at: Mapped[float] = mapped_column(default=time.time)
    is_current: Mapped[bool] = mapped_column(default=True)
    """Whether it is the newest of its object that was not taken back; updated with each review."""

    @property
    def object_key(self) -> str:
        """Return the object that it is about, as `db.object_reviews` names it."""
        if self.annotation_id is not None:
            return f"a{self.annotation_id}"
        return f"r{self.added_id or self.id}"
