"""Memory and time of an export: `python -m benchmarks.exporting` prints the table.

Two stores, one ten times as large as the other, are filled with families of three at 128 pixels,
two objects each; 200 different images are enough, because an export reads each file anyway. Each
export runs in its own process, whose peak memory and CPU time are measured.
"""
# ruff: noqa: T201  (results go to stdout)

import argparse
import os
import subprocess
import sys
import tempfile
from itertools import count
from pathlib import Path

import numpy as np
from sqlalchemy import insert

from chatgenimage.db.images import ImageStore
from chatgenimage.db.models import Annotation, Batch, Candidate, Label, Run
from chatgenimage.db.session import Sessions, connect, upgrade
from chatgenimage.db.states import Origin, Verdict
from chatgenimage.factory.settings.model import DATABASE_FILE, IMAGES_FOLDER, load_settings
from chatgenimage.factory.settings.run_profile import dump_profile
from chatgenimage.workers import masks
from chatgenimage.workers.values import Mask

CANDIDATES = 10_000
PICTURES = 200
SIZE_PX = 128
LABELS = ("dog", "house", "tree", "boat")
FORMATS = ("coco", "yolo-segment", "parquet", "webdataset", "triplets")
FAMILIES_AT_ONCE = 500
FAMILY = ((Origin.GENERATED, ""), (Origin.EDITED, "/e0"), (Origin.FILLED, "/e0/f0"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=CANDIDATES)
    parser.add_argument("--formats", nargs="+", default=FORMATS)
    asked = parser.parse_args()
    print("| format | candidates | images | images per CPU second | peak MiB |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="exporting-") as folder:
        for candidates in (asked.candidates // 10, asked.candidates):
            data_dir = Path(folder) / str(candidates)
            fill(data_dir, candidates)
            for name in asked.formats:
                print(measure(data_dir, name, candidates), flush=True)


def fill(data_dir: Path, candidates: int) -> None:
    """Create a store of `candidates` candidates, or up to two fewer."""
    data_dir.mkdir()
    url = f"sqlite:///{data_dir / DATABASE_FILE}"
    upgrade(url)
    pictures, rles = make_pictures(ImageStore(str(data_dir / IMAGES_FOLDER)))
    numbers = count(1)
    sessions = connect(url)
    batch_ids = add_run(sessions)
    total = candidates // len(FAMILY)
    for start in range(0, total, FAMILIES_AT_ONCE):
        families = range(start, min(start + FAMILIES_AT_ONCE, total))
        rows = [row for family in families for row in family_rows(family, batch_ids, pictures)]
        objects = [
            {"id": next(numbers), "candidate_id": row["id"], "index": index, **rles[index]}
            for row in rows
            for index in range(len(rles))
        ]
        with sessions.begin() as session:
            session.execute(insert(Candidate), rows)
            session.execute(insert(Annotation), objects)


def make_pictures(images: ImageStore) -> tuple[list[str], list[dict[str, object]]]:
    """Store noisy images; return their hashes, and the columns of two objects."""
    random = np.random.default_rng(0)
    shape = (SIZE_PX, SIZE_PX, 3)
    pictures = [
        images.put(random.integers(0, 256, shape, dtype=np.uint8), {"key": str(index)})
        for index in range(PICTURES)
    ]
    rows, columns = np.ogrid[:SIZE_PX, :SIZE_PX]
    distances = np.hypot(rows - SIZE_PX // 2, columns - SIZE_PX // 2)
    disc, ring = distances < 20, (distances > 30) & (distances < 50)  # noqa: PLR2004
    return pictures, [object_columns("dog", disc), object_columns("tree", ring)]


def object_columns(label: str, mask: Mask) -> dict[str, object]:
    """Return the annotation columns of a mask."""
    box = masks.find_box(mask) or (0.0, 0.0, 0.0, 0.0)
    sides = dict(zip(("x_min", "y_min", "x_max", "y_max"), box, strict=True))
    rle, area_px = dict(masks.encode(mask)), masks.mask_area(mask)
    return {"label": label, "confidence": 0.9, "rle": rle, "area_px": area_px, **sides}


def add_run(sessions: Sessions) -> list[tuple[int, int, int]]:
    """Add a run and return the ids of run, label and batch for each label."""
    with sessions.begin() as session:
        profile = dump_profile(load_settings("micro"))
        run = Run(request_key="k", mode="scene", seed=0, profile=profile, state="done")
        session.add(run)
        session.flush()
        ids = []
        for name in LABELS:
            label = Label(run_id=run.id, name=name, mode="scene", per_label=1)
            session.add(label)
            session.flush()
            batch = Batch(run_id=run.id, label_id=label.id, index=0, size=1)
            session.add(batch)
            session.flush()
            ids.append((run.id, label.id, batch.id))
    return ids


def family_rows(
    family: int, batch_ids: list[tuple[int, int, int]], pictures: list[str]
) -> list[dict[str, object]]:
    """Return an initial image, an edit of it and a fill of the edit."""
    run_id, label_id, batch_id = batch_ids[family % len(batch_ids)]
    first = family * len(FAMILY) + 1
    return [
        {
            "id": first + place,
            "run_id": run_id,
            "label_id": label_id,
            "batch_id": batch_id,
            "key": f"b0/g{family}{path}",
            "parent_id": first + place - 1 if place else None,
            "origin": origin,
            "round": min(place, 1),
            "seed": 0,
            "prompt_text": "change the background to a beach",
            "model": {},
            "sha256": pictures[(first + place) % len(pictures)],
            "width_px": SIZE_PX,
            "height_px": SIZE_PX,
            "caption": "a dog on a beach",
            "verdict": Verdict.ACCEPTED,
        }
        for place, (origin, path) in enumerate(FAMILY)
    ]


def measure(data_dir: Path, name: str, candidates: int) -> str:
    """Export once and return a row of the table."""
    out = data_dir / name
    words = [name, "--out", str(out), "--splits", "train=0.8,val=0.1,test=0.1"]
    process = subprocess.Popen(  # noqa: S603  (our own command)
        [sys.executable, "-m", "chatgenimage", "export", *words, "--data-dir", str(data_dir)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None  # noqa: S101
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, output  # noqa: S101
    images = int(output.split(": ", 1)[1].split()[0])
    cpu_s = usage.ru_utime + usage.ru_stime
    peak = usage.ru_maxrss / 1024
    return f"| {name} | {candidates:,} | {images:,} | {images / cpu_s:.0f} | {peak:.0f} |"


if __name__ == "__main__":
    main()
