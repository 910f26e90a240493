"""Helpers for the tests of exports: export candidates, and read back what was written."""

import contextlib
import io
import warnings
from dataclasses import dataclass

import numpy as np
from PIL import Image
from sqlalchemy import select

from chatgenimage.db.models import Candidate
from chatgenimage.db.queries import CandidateFilter
from chatgenimage.db.states import Verdict
from chatgenimage.factory.export.class_choice import ClassChoice
from chatgenimage.factory.export.exporting import export
from chatgenimage.factory.export.formats import get_format
from chatgenimage.factory.export.request import ExportRequest
from chatgenimage.factory.export.splits import parse_splits
from chatgenimage.workers import masks

HALVES = "train=0.5,test=0.5"


@dataclass(frozen=True)
class Known:
    """A candidate as stored in the database."""

    id: int
    label: str
    caption: str
    pixels: np.ndarray
    objects: tuple
    """List of (label, box_xyxy, mask)."""


def export_as(place, name, out, **options):
    """Export candidates; by default the accepted ones."""
    return run(place, request_of(name, out, **options))


def run(place, request):
    """Carry out a request."""
    return export(place.sessions, place.images, request)


def request_of(
    name,
    out,
    *,
    masks=None,
    splits=None,
    seed=0,
    overwrite=False,
    strict_splits=False,
    choice=None,
    originals=(),
    **wanted,
):
    """Return a request for an export; by default of the accepted candidates and all objects."""
    return ExportRequest(
        format=get_format(name),
        out_dir=out,
        wanted=CandidateFilter(**{"verdict": Verdict.ACCEPTED, **wanted}),
        splits=parse_splits(splits or get_format(name).splits, seed),
        masks=masks,
        classes=choice or ClassChoice(extras=True),
        originals=originals,
        overwrite=overwrite,
        strict_splits=strict_splits,
    )


def known_candidates(place):
    """Return the accepted candidates in the database, by the stem of their files."""
    with place.sessions() as session:
        accepted = session.scalars(select(Candidate).where(Candidate.verdict == "accepted"))
        return {f"{c.id:08d}-{c.sha256[:12]}": _known(c, place) for c in accepted}


def _known(candidate, place):
    objects = [(a.label, np.array(a.box_xyxy), masks.decode(a.rle)) for a in candidate.annotations]
    return Known(
        candidate.id,
        candidate.label.name,
        candidate.caption,
        place.images.get(candidate.sha256),
        tuple(objects),
    )


def by_label(objects):
    """Return objects sorted in an order that works for every format."""
    return sorted(objects, key=lambda found: (found[0], tuple(found[1])))


def iou(mask, other):
    """Return the overlap of two masks."""
    return np.count_nonzero(mask & other) / np.count_nonzero(mask | other)


def read_coco(file):
    """Return pycocotools' reader, without its output."""
    from pycocotools.coco import COCO

    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(file))


def supervision():
    """Return the library, without its warning about OpenCV."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import supervision as sv

    return sv


def objects_of(detections, classes):
    """Return supervision's detections as (label, box, mask)."""
    masks_read = detections.mask if detections.mask is not None else [None] * len(detections)
    return [
        (classes[class_id], box, mask)
        for class_id, box, mask in zip(
            detections.class_id, detections.xyxy, masks_read, strict=True
        )
    ]


def pixels_of(image):
    """Return the pixels of an image from a reader."""
    return np.asarray(image.convert("RGB"))


def open_pixels(path):
    """Return the pixels of a file."""
    with Image.open(path) as image:
        return pixels_of(image)


def files_in(folder):
    """Return the relative paths of all files."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
