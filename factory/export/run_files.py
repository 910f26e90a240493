"""Files of the runs in an export: the labels, the frozen profile and the reviews of each run."""

import csv
import io

from sqlalchemy import select
from sqlalchemy.orm import Session

from chatgenimage.db.models import Batch, Label, Run
from chatgenimage.factory.submission.label_files import NUMBERS
from chatgenimage.factory.submission.quotas import is_split_for_preview
from chatgenimage.tasks.options import run_options


def profile_file(run: Run) -> str:
    """Return the name of the file with the profile of a run."""
    return f"runs/{run.id}.yaml"


def labels_file(run: Run) -> str:
    """Return the name of the file with the labels of a run."""
    return f"runs/{run.id}.csv"


def marks_file(run: Run) -> str:
    """Return the name of the file with the reviews of a run."""
    return f"runs/{run.id}-marks.csv"


def was_previewed(session: Session, run: Run) -> bool:
    """Return whether a run began with one image of each label, which gives other images."""
    first = select(Label, Batch.size).join(Batch, Batch.label_id == Label.id)
    rows = session.execute(first.where(Label.run_id == run.id, Batch.index == 0))
    most = run_options(run).chain.batch_size
    return any(
        is_split_for_preview(size, label.per_label, list(label.domains or ()), most)
        for label, size in rows
    )


def labels_csv(run: Run) -> str:
    """Return the labels of a run, as `factory run --file` reads them."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    has_domains = any(label.domains for label in run.labels)
    table.writerow(("label", *NUMBERS, "mode", *(["domains"] if has_domains else [])))
    for label in run.labels:
        domains = [",".join(label.domains or ())] if has_domains else []
        numbers = (label.per_label, label.quota, label.max_images)
        table.writerow((label.name, *numbers, label.mode, *domains))
    return text.getvalue()
