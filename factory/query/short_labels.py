"""Labels that have fewer accepted candidates than were asked for, as a file for another run."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chatgenimage.db.classes import classes_asked
from chatgenimage.db.label_progress import LabelProgress
from chatgenimage.db.models import Label, Run
from chatgenimage.factory.errors import NothingFound

COLUMNS = (
    *("label", "prompt", "detect", "per_label", "accepted", "max_images"),
    *("mode", "domains", "style", "negative_prompt", "size"),
)
"""Columns of a label file (`factory/submission/label_files.py`)."""


def write_label_file(session: Session, run: Run, short: Sequence[LabelProgress]) -> str:
    """Return a CSV label file that asks for what is missing, with the options of each label.

    A label with a quota asks for so many accepted candidates, another one for so many images; a
    label with domains asks for at least one of each, because fewer cannot be divided among them.

    Raises:
        NothingFound: If no label is short, or the run annotates a person's pictures.
    """
    if classes_asked(run) is not None:
        raise NothingFound(f"run {run.id} annotates pictures; there are no labels to submit again.")
    if not short:
        raise NothingFound(f"no label of run {run.id} has less than was asked for.")
    missing = {one.label_id: one.missing for one in short}
    first, last = min(missing), max(missing)
    found = session.scalars(select(Label).where(Label.id.between(first, last)))
    labels = {label.id: label for label in found}
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    chain = run.profile["chain"]
    writer.writerows(_row(labels[label_id], count, chain) for label_id, count in missing.items())
    return text.getvalue()


def _row(label: Label, missing: int, chain: Mapping[str, Any]) -> Mapping[str, object]:
    """Return a line; words, phrases and image options of a label are in the run's profile."""
    has_quota = label.quota is not None
    wanted = max(missing, len(label.domains or ()))
    return {
        "label": label.name,
        "prompt": chain.get("painted", {}).get(label.name, ""),
        "detect": "|".join(chain.get("phrases", {}).get(label.name, ())),
        "style": chain.get("styles", {}).get(label.name, ""),
        "negative_prompt": chain.get("negative_prompts", {}).get(label.name, ""),
        "size": "x".join(map(str, chain.get("sizes", {}).get(label.name, ()))),
        "per_label": label.per_label if has_quota else wanted,
        "accepted": wanted if has_quota else "",
        "max_images": label.max_images if has_quota else "",
        "mode": label.mode,
        "domains": ",".join(label.domains or ()),
    }
