"""COCO: images and `annotations.json` with boxes and RLE masks, checked by pycocotools."""

import io
import json
import shutil
from collections.abc import Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from rich.console import Console
from rich.progress import track

from db.images import ImageStore
from db.models import Annotation, Candidate
from db.queries import CandidateFilter, count_candidates, iter_candidates
from db.session import Sessions, reading
from db.states import Verdict
from factory.errors import CannotWrite, ExportBroken, NothingFound

ANNOTATIONS_FILE = "annotations.json"
IMAGES_FOLDER = "images"
LONG_EXPORT = 200


@dataclass(frozen=True, slots=True)
class CocoExport:
    """What was written."""

    folder: Path
    images: int
    annotations: int
    categories: int

    def __str__(self) -> str:
        return (
            f"{self.folder}: {self.images} images, {self.annotations} annotations, "
            f"{self.categories} categories, read back by pycocotools"
        )


@dataclass
class _Dataset:
    """The parts of the file as they grow; annotations name their category until all are known."""

    images: list[dict[str, Any]] = field(default_factory=list)
    annotations: list[dict[str, Any]] = field(default_factory=list)
    labels: set[str] = field(default_factory=set)
    run_ids: set[int] = field(default_factory=set)
    newest_s: float = 0.0

    def add(self, candidate: Candidate) -> None:
        """Take up a candidate and its annotations, under the next ids."""
        image_id = len(self.images) + 1
        self.images.append(_image(candidate, image_id))
        self.annotations += [
            _annotation(annotation, image_id, annotation_id)
            for annotation_id, annotation in enumerate(
                candidate.annotations, start=len(self.annotations) + 1
            )
        ]
        self.labels |= {candidate.label.name, *(a.label for a in candidate.annotations)}
        self.run_ids.add(candidate.run_id)
        self.newest_s = max(self.newest_s, candidate.created_at)

    def as_json(self) -> dict[str, Any]:
        """Return the file's content."""
        category_ids = {label: index for index, label in enumerate(sorted(self.labels), start=1)}
        # The date of the newest image, not of today: the same rows give the same file.
        made_at = datetime.fromtimestamp(self.newest_s, UTC)
        return {
            "info": {
                "description": "Images and annotations made by models (ChatGenImage data factory).",
                "version": "1.0",
                "year": made_at.year,
                "date_created": made_at.isoformat(timespec="seconds"),
                "runs": sorted(self.run_ids),
            },
            "licenses": [],
            "categories": [
                {"id": category_id, "name": label, "supercategory": ""}
                for label, category_id in category_ids.items()
            ],
            "images": self.images,
            "annotations": [
                {**annotation, "category_id": category_ids[annotation["category_id"]]}
                for annotation in self.annotations
            ],
        }


def export_coco(
    sessions: Sessions,
    images: ImageStore,
    out_dir: Path,
    wanted: CandidateFilter,
    *,
    overwrite: bool = False,
) -> CocoExport:
    """Write candidates as a COCO dataset; the folder is whole or it is not there.

    Args:
        sessions: Where the rows are.
        images: Where the images are.
        out_dir: Made by this; gets `images/<sha256>.png` and `annotations.json`.
        wanted: Which candidates; a filter without a verdict means the accepted ones.
        overwrite: Replace an earlier export in `out_dir`.

    Raises:
        CannotWrite: If `out_dir` holds something that may not be replaced, or the disk refuses.
        NothingFound: If no candidate matches.
        ImageMissing: If an image is no longer in the store; so is ImageBroken raised.
        ExportBroken: If pycocotools reads back something else than was written.
    """
    out_dir = out_dir.resolve()
    _refuse_to_replace(out_dir, overwrite=overwrite)
    wanted = replace(wanted, verdict=wanted.verdict or Verdict.ACCEPTED)
    unfinished = out_dir.parent / f".{out_dir.name}.{uuid4().hex}.unfinished"
    try:
        done = _write(sessions, images, unfinished, wanted)
        _check(unfinished, done)
        _move_into_place(unfinished, out_dir)
    except OSError as error:
        raise CannotWrite(f"cannot write {out_dir}: {error}. Nothing was left there.") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return replace(done, folder=out_dir)


def _refuse_to_replace(out_dir: Path, *, overwrite: bool) -> None:
    if out_dir.exists() and not out_dir.is_dir():
        raise CannotWrite(f"{out_dir} is a file; name a folder to be made.")
    if not out_dir.is_dir() or not any(out_dir.iterdir()):
        return
    if not (out_dir / ANNOTATIONS_FILE).is_file():
        raise CannotWrite(f"{out_dir} is not empty and no earlier export; name another folder.")
    if not overwrite:
        raise CannotWrite(f"{out_dir} holds an export; add --overwrite or name another folder.")


def _write(
    sessions: Sessions, images: ImageStore, folder: Path, wanted: CandidateFilter
) -> CocoExport:
    dataset = _Dataset()
    with reading(sessions) as session:
        total = count_candidates(session, wanted)
        if not total:
            raise NothingFound("no candidate matches, nothing was written; try `factory query`.")
        (folder / IMAGES_FOLDER).mkdir(parents=True)
        for candidate in _watched(iter_candidates(session, wanted), total):
            file = folder / IMAGES_FOLDER / f"{candidate.sha256}.png"
            file.write_bytes(images.read_bytes(candidate.sha256))
            dataset.add(candidate)
    content = dataset.as_json()
    (folder / ANNOTATIONS_FILE).write_text(json.dumps(content, ensure_ascii=False), "utf-8")
    return CocoExport(
        folder, len(dataset.images), len(dataset.annotations), len(content["categories"])
    )


def _watched(candidates: Iterable[Candidate], total: int) -> Iterable[Candidate]:
    return track(
        candidates,
        "Exporting",
        total=total,
        console=Console(stderr=True),
        transient=True,
        disable=total < LONG_EXPORT,
    )


def _image(candidate: Candidate, image_id: int) -> dict[str, Any]:
    return {
        "id": image_id,
        "file_name": f"{candidate.sha256}.png",
        "width": candidate.width_px,
        "height": candidate.height_px,
        "candidate_id": candidate.id,
        "parent_id": candidate.parent_id,
        "run_id": candidate.run_id,
        "label": candidate.label.name,
        "origin": candidate.origin,
        "round": candidate.round,
        "verdict": candidate.verdict,
        "caption": candidate.caption,
        "prompt": candidate.prompt_text,
    }


def _annotation(annotation: Annotation, image_id: int, annotation_id: int) -> dict[str, Any]:
    x_min, y_min, x_max, y_max = annotation.box_xyxy
    return {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": annotation.label,
        "bbox": [x_min, y_min, x_max - x_min, y_max - y_min],
        "segmentation": annotation.rle,
        "area": annotation.area_px,
        "iscrowd": 0,
        "score": annotation.confidence,
    }


def _check(folder: Path, done: CocoExport) -> None:
    """Read the dataset as its users will."""
    from pycocotools.coco import COCO

    with redirect_stdout(io.StringIO()):
        coco = COCO(str(folder / ANNOTATIONS_FILE))
    files = {file.name for file in (folder / IMAGES_FOLDER).iterdir()}
    lost = [image["file_name"] for image in coco.imgs.values() if image["file_name"] not in files]
    masks = sum(coco.annToMask(annotation).size > 0 for annotation in coco.anns.values())
    read = (len(coco.imgs), len(coco.anns), len(coco.cats), masks, len(lost))
    written = (done.images, done.annotations, done.categories, done.annotations, 0)
    if read != written:
        raise ExportBroken(
            "the export does not read back: images, annotations, categories, masks and lost files "
            f"are {read}, expected {written}. Nothing was left behind; please report it."
        )


def _move_into_place(finished: Path, out_dir: Path) -> None:
    """Rename; an earlier export makes way first and is deleted last."""
    earlier = finished.with_suffix(".earlier")
    if out_dir.is_dir():
        out_dir.rename(earlier)
    try:
        finished.rename(out_dir)
    except OSError:
        if earlier.is_dir():
            earlier.rename(out_dir)
        raise
    shutil.rmtree(earlier, ignore_errors=True)
