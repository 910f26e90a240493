"""Records of language model calls and cached answers."""

import time
from typing import Any

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from chatgenimage.db.models.base import Base


class LlmCall(Base):
    """One request to a language model, its answer and its cost."""

    __tablename__ = "llm_call"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), index=True)
    step_id: Mapped[int] = mapped_column(ForeignKey("step.id"), index=True)
    subject_id: Mapped[int]
    question: Mapped[str] = mapped_column(String(32))
    model: Mapped[str] = mapped_column(String(200))
    messages: Mapped[list[dict[str, str]]]
    answer: Mapped[str] = mapped_column(Text)
    """The text that came back, without thoughts."""
    thoughts: Mapped[str | None] = mapped_column(Text)
    """The model's reasoning before its answer; NULL if the server sent none."""
    prompt_tokens: Mapped[int | None]
    """As the server counted them; NULL if it did not, so that the cost is unknown."""
    completion_tokens: Mapped[int | None]
    duration_s: Mapped[float]
    problem: Mapped[str | None] = mapped_column(Text)
    request_key: Mapped[str | None] = mapped_column(String(64), index=True)
    """Hash of the request that opened the conversation; NULL for a rule book."""
    is_reused: Mapped[bool] = mapped_column(default=False)
    """Whether the answer came from the cache; it was paid for by an earlier call."""
    cost: Mapped[float] = mapped_column(default=0.0)
    """In the currency of the profile's prices; 0 if reused."""
    created_at: Mapped[float] = mapped_column(default=time.time)


class LlmAnswer(Base):
    """A successful conversation with a language model, cached for equal requests."""

    __tablename__ = "llm_answer"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    """Hash of the request: server, model, messages and parameters."""
    exchanges: Mapped[list[dict[str, Any]]]
    """The whole conversation; the answer that was used is the last."""
    image_sha256: Mapped[str | None] = mapped_column(String(64), index=True)
    """SHA-256 of the stored PNG that the answer is; NULL for a text."""
    created_at: Mapped[float] = mapped_column(default=time.time)
