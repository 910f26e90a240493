"""Database records of a run, from the label to the verdict.

Run 1-n Label 1-n Batch 1-n Step 1-n Item; a Batch 1-n Prompt and Candidate; a Candidate 1-n
Annotation, Score, Scene and Placement, and has a parent if it was edited or filled.
"""

from chatgenimage.db.models.base import Base
from chatgenimage.db.models.boots import Boot
from chatgenimage.db.models.candidates import Annotation, Candidate, Placement, Scene
from chatgenimage.db.models.class_numbers import ClassNumber
from chatgenimage.db.models.judgements import (
    Fingerprint,
    Mark,
    Rejudging,
    Score,
    VerdictChange,
    VisualAnswer,
)
from chatgenimage.db.models.llm_calls import LlmAnswer, LlmCall
from chatgenimage.db.models.notifications import Notification
from chatgenimage.db.models.object_reviews import ObjectReview
from chatgenimage.db.models.runs import Batch, Item, Label, Prompt, Run, Step
from chatgenimage.db.models.workers import LiveWorker

__all__ = [
    "Annotation",
    "Base",
    "Batch",
    "Boot",
    "Candidate",
    "ClassNumber",
    "Fingerprint",
    "Item",
    "Label",
    "LiveWorker",
    "LlmAnswer",
    "LlmCall",
    "Mark",
    "Notification",
    "ObjectReview",
    "Placement",
    "Prompt",
    "Rejudging",
    "Run",
    "Scene",
    "Score",
    "Step",
    "VerdictChange",
    "VisualAnswer",
]
