"""Result of a measurement: the values of every arm and seed, and how arms differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chatgenimage.factory.gain.arms import Kind
from chatgenimage.factory.gain.cells import Cell
from chatgenimage.factory.gain.metrics import METRICS
from chatgenimage.factory.gain.statistics import Interval, interval_of, paired_difference
from chatgenimage.factory.gain.values import Augmentation, Source, Task


@dataclass(frozen=True, slots=True)
class ArmFacts:
    """Facts of an arm for the report; see `arms.Arm`.

    Attributes:
        images: Number of training images.
        synthetic: Number of synthetic ones among them.
    """

    name: str
    kind: Kind
    images: int
    synthetic: int
    augment: Augmentation
    share: float
    source: Source | None


@dataclass(frozen=True, slots=True)
class GainResult:
    """All values of a measurement.

    Attributes:
        classes: Names of the measured classes.
        domains: Number of test images by domain.
        test_objects: Number of test objects by class; for classification, of images.
        cells: One for each arm and seed.
        settings: What was trained: trainer, steps, batch size, seeds.
        notes: Warnings and what the guards removed.
    """

    task: Task
    classes: tuple[str, ...]
    domains: Mapping[str, int]
    test_objects: Mapping[str, int]
    arms: tuple[ArmFacts, ...]
    cells: tuple[Cell, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()

    @property
    def metric(self) -> str:
        """Return the metric that decides the verdict."""
        return METRICS[self.task][0]

    def arms_of(self, *kinds: Kind) -> list[ArmFacts]:
        """Return the arms of some kinds, in order."""
        return [arm for arm in self.arms if arm.kind in kinds]

    def has_arm(self, name: str) -> bool:
        """Return whether there is an arm of that name."""
        return any(arm.name == name for arm in self.arms)

    def values(
        self, arm: str, metric: str, domain: str | None = None, label: str | None = None
    ) -> dict[int, float]:
        """Return the values of an arm by seed, in [0, 1]; empty if it was not measured."""
        wanted = (metric, domain, label)
        return {
            cell.seed: one.value
            for cell in self.cells
            if cell.arm == arm
            for one in cell.values
            if (one.metric, one.domain, one.label) == wanted
        }

    def interval(
        self,
        arm: str,
        metric: str | None = None,
        domain: str | None = None,
        label: str | None = None,
    ) -> Interval | None:
        """Return the mean of an arm and its interval over seeds; None if it was not measured."""
        found = self.values(arm, metric or self.metric, domain, label)
        return interval_of(list(found.values())) if found else None

    def difference(
        self,
        arm: str,
        base: str,
        metric: str | None = None,
        domain: str | None = None,
        label: str | None = None,
    ) -> Interval | None:
        """Return how much better an arm is than another, paired by seed."""
        metric = metric or self.metric
        ours = self.values(arm, metric, domain, label)
        return paired_difference(ours, self.values(base, metric, domain, label))

    def best_of(self, *names: str) -> str | None:
        """Return the arm with the greatest mean of the main metric; None if there is none."""
        means = {name: found.mean for name in names if (found := self.interval(name)) is not None}
        return max(means, key=lambda name: means[name]) if means else None
