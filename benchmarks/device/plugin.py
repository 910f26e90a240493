"""Plug-in of a benchmark: families that sleep, for `factory` commands as they are.

`install` writes what `pip install` would write about a package: its name and its entry point.
"""

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from benchmarks.device.families import Device, SleepingLabeller, SleepingPainter
from benchmarks.device.scorer import SleepingScorer

PACKAGE = "chatgenimage-sleeping"
ENTRY_POINTS = """[chatgenimage.families]
sleeping = benchmarks.device.plugin:SleepingConfig
"""


class SleepingConfig(BaseModel):
    """A model that sleeps for a time per image."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    loads: ClassVar[str] = "benchmarks.device.plugin:Sleeping"

    family: Literal["sleeping"] = "sleeping"
    does: Literal["paint", "label", "score"]
    image_s: float
    side_px: int
    notes: Path
    """File in which each pass is noted."""


class Sleeping:
    """Loader of the families; they have nothing else in common."""

    @staticmethod
    def load(
        config: SleepingConfig, _device: str
    ) -> SleepingPainter | SleepingLabeller | SleepingScorer:
        """Return the family that the settings ask for."""
        device = Device(config.image_s, config.notes)
        match config.does:
            case "paint":
                return SleepingPainter(device, config.side_px)
            case "label":
                return SleepingLabeller(device)
            case "score":
                return SleepingScorer(device)


def install(site: Path) -> None:
    """Make the plug-in known to processes that have this folder in PYTHONPATH."""
    about = site / f"{PACKAGE.replace('-', '_')}-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 1\n")
    (about / "entry_points.txt").write_text(ENTRY_POINTS)
