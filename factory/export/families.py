"""Assignment of families to splits: by hash, and moved only where a split would lack a label.

A family is an initial image or a person's picture, with everything derived from it. Its root's
sha256 decides its split, so the same picture is in the same split in every run and export. If a
label would be missing from a split, the nearest of the label's families moves there.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from chatgenimage.factory.export.splits import Splits


class Tag(NamedTuple):
    """A property of a family that each split should have at least once.

    Attributes:
        kind: "image": an image of the class `label`; "object": an object of it; "any": any image.
    """

    kind: str
    label: str = ""


ANY = Tag("any")


@dataclass(frozen=True, slots=True)
class Assignment:
    """The split of each family.

    Attributes:
        moved: Split by the point of each family that is not in the split of its hash.
        lacking: Labels of which a split has no image or no object, by split; all labels if it has
            no image. Splits that lack nothing are left out.
        families: Number of families.
    """

    splits: Splits
    moved: Mapping[int, str] = field(default_factory=dict)
    lacking: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    families: int = 0

    def of(self, root_sha256: str) -> str:
        """Return the split of the family with this root image."""
        point = self.splits.point_of(root_sha256)
        return self.moved.get(point) or self.splits.at(point)


class Families:
    """Collects the families of a dataset and their tags; about 100 bytes for a family."""

    def __init__(self, splits: Splits) -> None:
        self._splits = splits
        self._tags: dict[int, frozenset[Tag]] = {}
        self._known: dict[frozenset[Tag], frozenset[Tag]] = {}

    def add(self, root_sha256: str, tags: Iterable[Tag]) -> None:
        """Add a member of a family."""
        point = self._splits.point_of(root_sha256)
        found = self._tags.get(point, frozenset()).union((ANY,), tags)
        self._tags[point] = self._known.setdefault(found, found)  # equal sets are stored once

    def assign(self) -> Assignment:
        """Return the assignment; each split gets each label, if the label has enough families."""
        filling = _Filling(self._splits, self._tags)
        filling.run()
        return Assignment(self._splits, filling.moved, filling.lacking(), len(self._tags))


class _Filling:
    """Moves families to splits that lack a tag; the rarest tag first."""

    def __init__(self, splits: Splits, families: Mapping[int, frozenset[Tag]]) -> None:
        self._splits = splits
        self._families = families
        self.moved: dict[int, str] = {}
        self._counts: Counter[tuple[Tag, str]] = Counter()
        self._totals: Counter[Tag] = Counter()
        for point, tags in families.items():
            split = splits.at(point)
            self._totals.update(tags)
            self._counts.update((tag, split) for tag in tags)

    def run(self) -> None:
        """Move as few families as needed."""
        # An empty split stops a trainer, so it comes first; then what is hardest to place.
        lacking = sorted(self._lacking(), key=lambda tag: (tag != ANY, self._totals[tag], tag))
        members: dict[Tag, list[int]] = {tag: [] for tag in lacking}
        for point, tags in self._families.items():
            for tag in tags & members.keys():
                members[tag].append(point)
        for tag in lacking:
            for split in self._due(tag):
                if not self._counts[tag, split]:
                    self._bring(tag, split, members[tag])

    def lacking(self) -> dict[str, tuple[str, ...]]:
        """Return the labels that each split lacks."""
        labels = {
            split: {tag.label for tag in self._totals if tag != ANY and self._lacks(tag, split)}
            for split in self._splits.names
        }
        return {split: tuple(sorted(lacking)) for split, lacking in labels.items() if lacking}

    def _lacking(self) -> list[Tag]:
        names = self._splits.names
        return [tag for tag in self._totals if any(self._lacks(tag, split) for split in names)]

    def _lacks(self, tag: Tag, split: str) -> bool:
        return not self._counts[tag, split]

    def _due(self, tag: Tag) -> tuple[str, ...]:
        """Return the splits that should have a tag: with few families, those of large shares."""
        return self._splits.by_share()[: self._totals[tag]]

    def _bring(self, tag: Tag, split: str, members: Iterable[int]) -> None:
        """Move the nearest family with this tag to a split, unless more would be lost than won."""
        ranked = [
            (self._harm(point), self._splits.distance(point, split), point)
            for point in members
            if self._can_spare(self._split_of(point))
        ]
        if not ranked:
            return
        harm, _, point = min(ranked)
        if not harm or tag == ANY:  # a split without any image is worse than one without a label
            self._move(point, split)

    def _move(self, point: int, split: str) -> None:
        before = self._split_of(point)
        for tag in self._families[point]:
            self._counts[tag, before] -= 1
            self._counts[tag, split] += 1
        self.moved[point] = split

    def _can_spare(self, split: str) -> bool:
        return self._counts[ANY, split] > 1 or split not in self._due(ANY)

    def _harm(self, point: int) -> int:
        """Return how many tags the family's split would lose that it should have."""
        split = self._split_of(point)
        return sum(
            self._counts[tag, split] == 1 and split in self._due(tag)
            for tag in self._families[point]
        )

    def _split_of(self, point: int) -> str:
        return self.moved.get(point) or self._splits.at(point)
