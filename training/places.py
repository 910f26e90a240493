"""Paths that training reads and writes; `TRAINING_CACHE` moves the scratch folder."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("TRAINING_CACHE", ROOT / ".cache"))
SPRITES = Path(os.environ.get("TRAINING_SPRITES", CACHE / "sprites/package/assets"))
DATASETS = CACHE / "microworld"
STATES = CACHE / "training"
CHECKPOINTS = ROOT / "workers/checkpoints/micro"
RULES = CHECKPOINTS / "rules"
