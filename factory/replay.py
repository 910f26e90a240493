"""Replay: an image painted again from its record, and compared with the one that was kept."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from chatgenimage.db.models import Candidate, Run
from chatgenimage.db.queries import get_candidate
from chatgenimage.db.session import reading
from chatgenimage.db.states import Origin
from chatgenimage.factory.app import assemble
from chatgenimage.factory.errors import ModelChanged
from chatgenimage.factory.query.store import Store
from chatgenimage.factory.settings.model import Settings
from chatgenimage.factory.settings.run_profile import settings_from_frozen
from chatgenimage.tasks.chain import QUEUES
from chatgenimage.tasks.options import RunOptions
from chatgenimage.tasks.resources import Resources
from chatgenimage.workers import masks
from chatgenimage.workers.image_similarity import psnr
from chatgenimage.workers.interfaces import BackgroundEditor, ImageGenerator, ObjectFiller
from chatgenimage.workers.values import RgbImage

CHOSEN_SEED = "fill_prediction_seed"
"""Where the model's record has the seed of the best of several fills."""

PAINTED_BY = {Origin.GENERATED: "generate", Origin.EDITED: "edit", Origin.FILLED: "fill"}


@dataclass(frozen=True, slots=True)
class Record:
    """What is needed to paint an image again."""

    origin: Origin
    prompt_text: str
    seed: int
    parent_sha256: str | None
    box_xyxy: tuple[float, float, float, float] | None


@dataclass(frozen=True, slots=True)
class Replay:
    """An image painted again.

    Attributes:
        pixels: (H, W, 3) uint8 RGB.
        is_identical: Whether every pixel is that of the kept image.
        psnr_db: How near they are, 100 if they are identical.
        pass_size: How many images went through the model together: 1, or as many as at first.
    """

    pixels: RgbImage
    is_identical: bool
    psnr_db: float
    pass_size: int


def replay(store: Store, candidate_id: int) -> Replay:
    """Return a candidate's image, painted again by the same model.

    It is painted alone first. If that is not identical, for the arithmetic of a batch depends on
    its size, it is painted once more among those that it went through the model with.

    Raises:
        RowNotFound: If there is no such candidate.
        ModelChanged: If the model's weights or settings are not those of the record, or no model
            painted it.
    """
    with reading(store.sessions) as session:
        candidate = get_candidate(session, candidate_id).candidate
        if candidate.origin == Origin.IMPORTED:
            raise ModelChanged(f"candidate {candidate_id} is a person's picture: no model made it.")
        run = session.get_one(Run, candidate.run_id)
        mates = _list_mates(session, candidate, RunOptions.model_validate(run.profile))
        place = [mate.id for mate in mates].index(candidate.id)
        records = [_record_of(mate) for mate in mates]
    original = store.images.get(candidate.sha256)
    role = QUEUES[PAINTED_BY[records[place].origin]]
    resources = assemble(_settings_of(run, store.settings), [role], "replay")
    _refuse_other_model(resources, candidate.model)
    alone = _compare(_paint(resources, [records[place]])[0], original, 1)
    if alone.is_identical or len(records) == 1:
        return alone
    return _compare(_paint(resources, records)[place], original, len(records))


def _settings_of(run: Run, here: Settings) -> Settings:
    """Return the run's frozen profile with the places of this machine."""
    return settings_from_frozen(
        run.profile,
        data_dir=here.data_dir,
        database_url=here.database_url,
        image_store_url=here.image_store_url,
        image_store_endpoint=here.image_store_endpoint,
        device=here.device,
        cpu_threads=here.cpu_threads,
    )


def _list_mates(session: Session, candidate: Candidate, options: RunOptions) -> list[Candidate]:
    """Return those that went through the model with a candidate, itself among them, in order.

    Rows are written in the order of the pass, and passes are full but for the last.
    """
    painted = session.scalars(
        select(Candidate)
        .where(
            Candidate.batch_id == candidate.batch_id,
            Candidate.round == candidate.round,
            Candidate.origin == candidate.origin,
        )
        .options(joinedload(Candidate.parent), joinedload(Candidate.placement))
        .order_by(Candidate.id)
    ).all()
    size = options.chain.batch_size
    start = [mate.id for mate in painted].index(candidate.id) // size * size
    return list(painted[start : start + size])


def _record_of(candidate: Candidate) -> Record:
    parent, placement = candidate.parent, candidate.placement
    return Record(
        Origin(candidate.origin),
        candidate.prompt_text,
        candidate.model.get("settings", {}).get(CHOSEN_SEED, candidate.seed),
        parent.sha256 if parent else None,
        placement.box_xyxy if placement else None,
    )


def _refuse_other_model(resources: Resources, recorded: Mapping[str, Any]) -> None:
    loaded = [json.loads(json.dumps(asdict(family.identity))) for family in resources.families]
    if not any(_is_same(recorded, one) for one in loaded):
        now = ", ".join(f"{one['checkpoint']} @ {one['revision']}" for one in loaded)
        raise ModelChanged(
            f"the record names {recorded['checkpoint']} @ {recorded['revision']} with "
            f"{recorded['settings']}; loaded was {now}. Put the recorded checkpoint back."
        )


def _is_same(recorded: Mapping[str, Any], loaded: Mapping[str, Any]) -> bool:
    """Return whether these are the same weights with the same settings.

    Settings that only one of them knows came later, or tell how an image was chosen.
    """
    before, now = recorded["settings"], loaded["settings"]
    return (recorded["family"], recorded["revision"]) == (
        loaded["family"],
        loaded["revision"],
    ) and all(before[name] == now[name] for name in before if name in now)


def _paint(resources: Resources, records: Sequence[Record]) -> list[RgbImage]:
    """Return the images of records of one origin, painted in one pass."""
    prompts = [record.prompt_text for record in records]
    seeds = [record.seed for record in records]
    parents = [resources.images.get(r.parent_sha256) for r in records if r.parent_sha256]
    match records[0].origin:
        case Origin.GENERATED:
            return resources.able(ImageGenerator).generate(prompts, seeds)
        case Origin.EDITED:
            return resources.able(BackgroundEditor).edit(parents, prompts, seeds)
        case _:
            holes = [
                masks.from_box(record.box_xyxy, (parent.shape[1], parent.shape[0]))
                for record, parent in zip(records, parents, strict=True)
                if record.box_xyxy
            ]
            return resources.able(ObjectFiller).fill(parents, holes, prompts, seeds)


def _compare(pixels: RgbImage, original: RgbImage, pass_size: int) -> Replay:
    likeness_db = psnr(original, pixels)
    assert likeness_db is not None  # noqa: S101  # an image is no empty region
    return Replay(pixels, bool(np.array_equal(pixels, original)), likeness_db, pass_size)
