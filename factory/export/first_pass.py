"""First pass of an export: assigns families to splits, counts, and plans."""

import hashlib
import heapq
import json
from collections import Counter
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from sqlalchemy.orm import Session

from chatgenimage.db.classes import NO_CLASS
from chatgenimage.db.exporting import (
    ExportKey,
    iter_export_keys,
    list_labels_asked,
)
from chatgenimage.factory.export.base import Plan
from chatgenimage.factory.export.classes import ExportClasses
from chatgenimage.factory.export.families import Assignment, Families, Tag
from chatgenimage.factory.export.gaps import describe_gaps, describe_shares, describe_validation
from chatgenimage.factory.export.originals import Originals
from chatgenimage.factory.export.request import ExportRequest
from chatgenimage.factory.export.splits import Splits

SHOWN_SAMPLES = 12


@dataclass
class FirstPass:
    """The first pass: counts, and a fingerprint to detect an export that can be continued."""

    request: ExportRequest
    classes: ExportClasses
    originals: Originals
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Number of samples by split, label and origin."""
    marks: Counter[tuple[str | None, bool]] = field(default_factory=Counter)
    """Number of reviewed samples, by verdict and whether the review is good."""
    splits_with_objects: set[str] = field(default_factory=set)
    run_ids: set[int] = field(default_factory=set)
    assignment: Assignment = field(default_factory=lambda: Assignment(Splits()))
    made_at: float = 0.0
    shown: list[tuple[int, int]] = field(default_factory=list)
    """A heap of candidates to draw, chosen by the hash of their image."""

    def run(self, session: Session) -> str:
        """Read all export keys and return a fingerprint of the dataset to write."""
        request = self.request
        self.assignment = _assign(session, request, self.classes)
        content: list[Any] = [request.format.name, request.masks, str(request.splits)]
        content += [request.splits.seed, self.classes.names, dict(self.classes.choice.merged)]
        content += [self.originals.is_asked, self.originals.missing]
        digest = hashlib.sha256(json.dumps(content).encode())
        for key in iter_keys(session, request):
            split = self.assignment.of(key.root_sha256)
            self._take(key, split)
            known = (key.candidate_id, key.sha256, key.label, key.verdict, key.caption)
            more = (key.is_good, split, *key.corrections)
            digest.update(json.dumps((*known, *more)).encode())
        return digest.hexdigest()

    def _take(self, key: ExportKey, split: str) -> None:
        """Count a candidate; keep it among the samples to draw if its image's hash is small."""
        self.counts[split, self.classes.of(key.label) or key.label, key.origin] += 1
        if key.is_good is not None:
            self.marks[key.verdict, key.is_good] += 1
        if any(map(self.classes.of, key.found)):
            self.splits_with_objects.add(split)
        self.run_ids.add(key.run_id)
        self.made_at = max(self.made_at, key.created_at)
        heapq.heappush(self.shown, (-int(key.sha256[:12], 16), key.candidate_id))
        if len(self.shown) > SHOWN_SAMPLES:
            heapq.heappop(self.shown)

    def totals(self) -> dict[str, int]:
        """Return the number of samples of each split."""
        totals = dict.fromkeys(self.request.splits.names, 0)
        for (split, _, _), count in self.counts.items():
            totals[split] += count
        return totals

    def gaps(self) -> list[str]:
        """Return a sentence for each split that has no image or lacks a label.

        Raises:
            SplitsIncomplete: If the format's trainers need images in a split that has none.
        """
        counts = self.totals()
        gaps = describe_gaps(counts, self.assignment.lacking)
        return [*gaps, *describe_validation(self.request.format, counts)]

    def shares(self) -> list[str]:
        """Return a sentence if shares of the images are far from those asked for."""
        return list(describe_shares(self.request.splits, self.totals()))

    def plan(self) -> Plan:
        """Return the plan for the writer."""
        return Plan(
            classes=self.classes.names,
            counts={name: count for name, count in self.totals().items() if count},
            masks=self.request.masks or "rle",
            made_at=self.made_at,
            out_name=self.request.out_dir.name,
            splits_with_objects=frozenset(self.splits_with_objects),
        )


def iter_keys(session: Session, request: ExportRequest) -> Iterator[ExportKey]:
    """Yield the key of each candidate to export."""
    for key in iter_export_keys(session, request.wanted):
        if key.parent_id is not None or not request.format.needs_parent:
            yield key


def _assign(session: Session, request: ExportRequest, classes: ExportClasses) -> Assignment:
    """Return the split of each family."""
    if len(request.splits.shares) == 1:
        return Assignment(request.splits)
    families = Families(request.splits)
    asked = list_labels_asked(session, request.wanted)
    all_asked = frozenset(map(classes.of, chain.from_iterable(asked.values())))
    for key in iter_keys(session, request):
        # A run of pictures that looks for no label has those that it found.
        labels = all_asked if asked[key.run_id] else None
        families.add(key.root_sha256, _tags_of(key, classes, labels))
    return families.assign()


def _tags_of(
    key: ExportKey, classes: ExportClasses, labels: AbstractSet[str] | None
) -> Iterator[Tag]:
    """Yield what a candidate brings to its split; None: every label counts."""
    found = [classes.of(label) for label in key.found]
    own = classes.of(key.class_name) or next(filter(None, found), NO_CLASS)
    tags = [Tag("image", own), *(Tag("object", label) for label in found)]
    for tag in tags:
        if tag.label != NO_CLASS and (labels is None or tag.label in labels):
            yield tag
