"""Commands of a dataset card, run as a person would who copies them."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from chatgenimage.factory.export.formats import FORMATS
from tests import rows

BLOCK = re.compile(r"### (.*?)\n.*?```(sh|python)\n(.*?)\n```", re.DOTALL)
TIMEOUT_S = 1500


@dataclass(frozen=True)
class Command:
    """A block of code in a card."""

    trainer: str
    language: str
    code: str


def add_pictures(place):
    """Add three families of one image for each of two labels: as little as a trainer needs."""
    with place.sessions.begin() as session:
        run = rows.add_run(session, ("dog", "house"), batches=3)
        for batch in rows.batches_of(session, run):
            objects = [(batch.label.name, "peru", rows.DOG_BOX), ("tree", "green", rows.TREE_BOX)]
            rows.add_candidate(place, session, batch, objects)
    return place


def trainers(*names):
    """Return format and trainer of each command on a card of a trainer whose name begins so."""
    return [
        (known.name, trainer.name)
        for known in FORMATS.values()
        for trainer in known.trainers
        if trainer.name.startswith(names)
    ]


def find_command(out, trainer):
    """Return the command of a trainer on the card of an export."""
    card = (out / "README.md").read_text("utf-8").split("## Train on it")[1]
    (found,) = (Command(*groups) for groups in BLOCK.findall(card) if groups[0] == trainer)
    return found


def run_command(out, command):
    """Run a command in the folder of the export; return what it prints."""
    script = out.parent / "copied.py"
    script.write_text(command.code, encoding="utf-8")
    words = ["sh", "-e", str(script)] if command.language == "sh" else [sys.executable, str(script)]
    scripts = os.pathsep.join(
        f"{folder}/bin" for folder in sys.path if Path(folder, "bin").is_dir()
    )
    # Ultralytics writes elsewhere if it finds out that pytest runs.
    known = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment = known | {
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "HF_HOME": str(out.parent / "hub"),
        "YOLO_CONFIG_DIR": str(out.parent),
        "YOLO_OFFLINE": "true",
    }
    done = subprocess.run(
        words, cwd=out, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout
