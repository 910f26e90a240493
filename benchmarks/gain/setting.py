"""Setting of the benchmark: the labels, how many images of each kind, and the trainings."""

from dataclasses import dataclass
from pathlib import Path

from training.places import SPRITES
from training.world import BACKGROUNDS


@dataclass(frozen=True, slots=True)
class Setting:
    """What is rendered, made and trained.

    Attributes:
        real_backgrounds: The backgrounds of the real training images; the test has all others.
        real_per_label: Real training images that are drawn for each label.
        per_label: Images that the factory generates for each label, before it varies them.
        run_seed: Of the run.
        test_per_background: Test images on each other background.
        seeds: Each decides the real training images, the start weights and the order of training.
        steps: Optimizer steps of each training.
        sprites: Folder of the object pictures.
        options: More options of the commands that make the run and the labels.
    """

    labels: tuple[str, ...] = ("dog", "house", "tree", "car", "owl", "castle")
    real_backgrounds: tuple[str, ...] = ("meadow", "room")
    real_per_label: int = 4
    per_label: int = 16
    run_seed: int = 5
    test_per_background: int = 50
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    steps: int = 300
    batch_size: int = 8
    sprites: Path = SPRITES
    options: tuple[str, ...] = ()

    @property
    def test_backgrounds(self) -> tuple[str, ...]:
        """Return the backgrounds that no real training image has."""
        return tuple(name for name in BACKGROUNDS if name not in self.real_backgrounds)


FULL = Setting()
QUICK = Setting(
    labels=("dog", "house"),
    real_per_label=2,
    per_label=2,
    test_per_background=2,
    seeds=(0, 1),
    steps=4,
    options=("--workers", "1"),
)
"""For a test of the code: its numbers mean nothing."""
