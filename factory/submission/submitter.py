"""Submitter: writes a list of labels as rows; it sends no message."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from chatgenimage.db.control import release_held
from chatgenimage.db.models import Batch, Label, Run
from chatgenimage.db.runs import find_unfinished
from chatgenimage.db.states import RunState
from chatgenimage.factory.errors import SettingsError
from chatgenimage.factory.settings.model import Settings
from chatgenimage.factory.settings.run_profile import (
    dump_profile,
    list_keyed_profiles,
    models_key,
)
from chatgenimage.factory.submission.budgets import NO_LIMITS, SpendingLimits, allow
from chatgenimage.factory.submission.domains import plan_label, words_of
from chatgenimage.factory.submission.labels import DroppedLabel, LabelRequest
from chatgenimage.factory.submission.quotas import split_for_preview, split_over_domains

ROWS_PER_INSERT = 1000
OLD_VALUES = 5
"""Values of a request in version 0.2: label, numbers and mode."""


@dataclass(frozen=True, slots=True)
class Submission:
    """Result of `submit`.

    Attributes:
        resumed: Whether it is an unfinished run of the same request.
        dropped: Duplicates that the list of labels had.
    """

    run_id: int
    resumed: bool
    labels: int
    images: int
    dropped: tuple[DroppedLabel, ...] = ()


def submit(  # noqa: PLR0913  # parts of a request
    session: Session,
    requests: Sequence[LabelRequest],
    settings: Settings,
    *,
    seed: int | None,
    limits: SpendingLimits = NO_LIMITS,
    previews: bool = False,
) -> Submission:
    """Write a run for the labels, or find the unfinished run of the same request.

    Args:
        session: An open transaction; if it fails, nothing is written.
        requests: At least one, without duplicates.
        settings: Stored with the run.
        seed: None: the number of earlier runs of the same request, so that repeating a request
            gives new images instead of the same ones.
        previews: Whether a new run makes one image of each label and then waits for an answer;
            else an unfinished run waits no more.
        limits: What the language model may use; not given: the limits of the unfinished run, else
            none.

    Raises:
        BudgetSpent: If the unfinished run has spent its budget.
        BadLabels: If a label has more domains than images.
        SettingsError: If the profile's chain starts with imported pictures.
    """
    if settings.chain.source != "prompts":
        raise SettingsError(
            "chain.source is `pictures` in this profile: use it with `factory annotate FOLDER`."
        )
    profiles = list_keyed_profiles(settings)
    keys = [request_key(requests, profile, seed) for profile in profiles]
    run = find_unfinished(session, keys)
    resumed = run is not None
    if run is None:
        earlier = session.scalar(select(func.count()).where(Run.request_key.in_(keys))) or 0
        run = add_run(session, settings, keys[0], earlier if seed is None else seed)
        _add_labels(session, run, requests, settings, previews=previews)
    elif not previews:
        release_held(session, run.id)
    allow(run, limits)
    run.state = RunState.ACTIVE
    images = session.scalar(select(func.sum(Batch.size)).where(Batch.run_id == run.id)) or 0
    return Submission(run.id, resumed, len(requests), images)


def request_key(
    requests: Sequence[LabelRequest], profile: dict[str, object], seed: int | None
) -> str:
    """Return a hash of everything that determines the result."""
    asked = [_values_of(request) for request in requests]
    text = json.dumps([asked, profile, seed], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _values_of(request: LabelRequest) -> list[object]:
    """Return the values of a request; without domains the same ones as in version 0.2."""
    values = astuple(request)[:OLD_VALUES]  # prompt, detect and style are in the profile
    domains = request.domains
    return [*values] if domains is None else [*values, list(domains)]


def add_run(session: Session, settings: Settings, key: str, seed: int, **columns: str) -> Run:
    """Write the row of a run, without labels, and return it.

    Args:
        session: An open transaction.
        settings: Frozen into the run.
        key: A hash of everything that shapes the result.
        seed: Of everything random.
        columns: Other columns of the run.
    """
    run = Run(
        request_key=key,
        models_key=models_key(settings),
        mode=settings.chain.mode,
        seed=seed,
        profile=dump_profile(settings),
        **columns,
    )
    session.add(run)
    session.flush()
    return run


def _add_labels(
    session: Session,
    run: Run,
    requests: Sequence[LabelRequest],
    settings: Settings,
    *,
    previews: bool,
) -> None:
    """Write the labels and batches of a run."""
    split = split_for_preview if previews else split_over_domains
    _insert(session, Label, [_label_row(run.id, request, settings) for request in requests])
    written = select(Label.id, Label.per_label, Label.domains).where(Label.run_id == run.id)
    rows = session.execute(written.order_by(Label.id))
    _insert(
        session,
        Batch,
        [
            {
                "run_id": run.id,
                "label_id": label_id,
                "index": index,
                "size": size,
                "domain": domain,
                "is_held": previews,
            }
            for label_id, per_label, domains in rows
            for index, (domain, size) in enumerate(
                split(per_label, list(domains or ()), settings.chain.batch_size)
            )
        ],
    )


def _label_row(run_id: int, request: LabelRequest, settings: Settings) -> dict[str, object]:
    """Return the columns of a label, with the run's options where it has none of its own."""
    planned = plan_label(request, settings.chain)
    return {
        "run_id": run_id,
        "name": request.label,
        "mode": request.mode or settings.chain.mode,
        "per_label": planned.images,
        "quota": planned.quota,
        "max_images": planned.max_images,
        "domains": words_of(settings, planned.domains) or None,
    }


def _insert(
    session: Session, table: type[Label | Batch], rows: Sequence[Mapping[str, object]]
) -> None:
    for start in range(0, len(rows), ROWS_PER_INSERT):
        session.execute(insert(table), list(rows[start : start + ROWS_PER_INSERT]))
