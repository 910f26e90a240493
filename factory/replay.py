"""Replay: generate an image again from its record, and compare it with the stored one."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from chatgenimage.tasks.options import RunOptions, run_options
from chatgenimage.tasks.painting import options_in, paint
from chatgenimage.tasks.resources import Resources
from chatgenimage.workers import masks
from chatgenimage.workers.image_similarity import psnr
from chatgenimage.workers.interfaces import BackgroundEditor, ImageGenerator, ObjectFiller
from chatgenimage.workers.values import ImageOptions, RgbImage

CHOSEN_SEED = "fill_prediction_seed"
"""Key in a candidate's model settings: the seed of the best of several fills."""

OF_SERVERS = ("openai_images",)
"""Families that take no seed."""
PAINTED_BY = {Origin.GENERATED: "generate", Origin.EDITED: "edit", Origin.FILLED: "fill"}


@dataclass(frozen=True, slots=True)
class PaintRecord:
    """The inputs needed to generate an image again."""

    origin: Origin
    prompt_text: str
    seed: int
    options: ImageOptions
    parent_sha256: str | None
    box_xyxy: tuple[float, float, float, float] | None


@dataclass(frozen=True, slots=True)
class ReplayedImage:
    """A regenerated image.

    Attributes:
        pixels: (H, W, 3) uint8 RGB.
        is_identical: Whether every pixel equals that of the stored image.
        psnr_db: Similarity of the two images; 100 if they are identical.
        pass_size: Images in the model's batch: 1, or as many as in the original run.
    """

    pixels: RgbImage
    is_identical: bool
    psnr_db: float
    pass_size: int


def replay(store: Store, candidate_id: int) -> ReplayedImage:
    """Return a candidate's image, generated again by the same model.

    It is first generated alone. Results can depend on the model's batch size: if the image is not
    identical, it is generated once more together with the images of its original batch.

    Raises:
        RowNotFound: If there is no such candidate.
        ModelChanged: If the model's weights or settings differ from the record, or the image is a
            person's picture, or a server painted it.
    """
    with reading(store.sessions) as session:
        candidate = get_candidate(session, candidate_id).candidate
        if candidate.origin == Origin.IMPORTED:
            raise ModelChanged(f"candidate {candidate_id} is an imported picture, not generated.")
        _refuse_server(candidate)
        run = session.get_one(Run, candidate.run_id)
        mates = _list_mates(session, candidate, run_options(run))
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


def _refuse_server(candidate: Candidate) -> None:
    """Refuse an image that a server painted.

    Raises:
        ModelChanged: If it did.
    """
    if candidate.model["family"] in OF_SERVERS:
        raise ModelChanged(
            f"candidate {candidate.id} was painted by {candidate.model['checkpoint']} on a server, "
            "which takes no seed: the same request gives another image, so nothing is compared."
        )


def _settings_of(run: Run, here: Settings) -> Settings:
    """Return the run's frozen profile with this machine's paths, URLs and device."""
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
    """Return the candidates of the same model batch, this one included, in order.

    Rows are written in batch order, and every batch except the last is full.
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


def _record_of(candidate: Candidate) -> PaintRecord:
    """Return everything that is needed to paint a candidate again."""
    parent, placement = candidate.parent, candidate.placement
    settings = candidate.model.get("settings", {})
    return PaintRecord(
        Origin(candidate.origin),
        candidate.prompt_text,
        settings.get(CHOSEN_SEED, candidate.seed),
        options_in(settings),
        parent.sha256 if parent else None,
        placement.box_xyxy if placement else None,
    )


def _refuse_other_model(resources: Resources, recorded: Mapping[str, Any]) -> None:
    loaded = [json.loads(json.dumps(family.identity.to_record())) for family in resources.families]
    if not any(_is_same(recorded, one) for one in loaded):
        now = ", ".join(f"{one['checkpoint']} @ {one['revision']}" for one in loaded)
        raise ModelChanged(
            f"the record names {recorded['checkpoint']} @ {recorded['revision']} with "
            f"{recorded['settings']}; the profile loads {now}. Restore the recorded checkpoint."
        )


def _is_same(recorded: Mapping[str, Any], loaded: Mapping[str, Any]) -> bool:
    """Return whether these are the same weights with the same settings.

    Settings that only one of them has are ignored: newer ones, and how an image was chosen.
    """
    before, now = recorded["settings"], loaded["settings"]
    return (recorded["family"], recorded["revision"]) == (
        loaded["family"],
        loaded["revision"],
    ) and all(before[name] == now[name] for name in before if name in now)


def _paint(resources: Resources, records: Sequence[PaintRecord]) -> list[RgbImage]:
    """Return the images of records of one origin, generated in one model batch."""
    prompts = [record.prompt_text for record in records]
    seeds = [record.seed for record in records]
    parents = [resources.images.get(r.parent_sha256) for r in records if r.parent_sha256]
    match records[0].origin:
        case Origin.GENERATED:
            options = [record.options for record in records]
            return paint(resources.able(ImageGenerator), prompts, seeds, options)
        case Origin.EDITED:
            return resources.able(BackgroundEditor).edit(parents, prompts, seeds)
        case _:
            holes = [
                masks.from_box(record.box_xyxy, (parent.shape[1], parent.shape[0]))
                for record, parent in zip(records, parents, strict=True)
                if record.box_xyxy
            ]
            return resources.able(ObjectFiller).fill(parents, holes, prompts, seeds)


def _compare(pixels: RgbImage, original: RgbImage, pass_size: int) -> ReplayedImage:
    likeness_db = psnr(original, pixels)
    assert likeness_db is not None  # noqa: S101  # an image is not an empty region
    return ReplayedImage(pixels, bool(np.array_equal(pixels, original)), likeness_db, pass_size)
