"""Measurement of the filter: images known as good or bad pass the product's label and filter steps.

They are candidates in a database; half of them passed the autoencoder first, so that they are as
soft as generated ones.
"""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import Any
from uuid import uuid4

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from chatgenimage.db.models import Batch, Candidate, Label, Placement, Run, Scene, Step
from chatgenimage.db.states import BatchState, Origin, Verdict
from chatgenimage.factory.settings.run_profile import dump_profile
from chatgenimage.tasks import resources
from chatgenimage.tasks.chain import QUEUES
from chatgenimage.tasks.filter import FILTER
from chatgenimage.tasks.label import LABEL
from chatgenimage.tasks.step import ChainEnds, run_step
from chatgenimage.tasks.step_definition import StepWork
from chatgenimage.workers import masks
from chatgenimage.workers.values import BoxXyxy, RgbImage
from training.bench import Advance, Bench, share
from training.cases import BAD_MAKERS, GOOD_MAKERS, SIZE_WH, Case, CaseMaker
from training.places import SPRITES
from training.words import BOOK
from training.world import load_sprites

SEED = 3_000_017
"""Seed that differs from those of the training scenes and the held-out scenes."""
MODEL = {"family": "world", "checkpoint": "", "revision": "", "settings": {}}
ACCEPTED = "accepted of "
CHAIN: tuple[tuple[StepWork[Any, Any, Any], int], ...] = (
    (LABEL, 0),
    (FILTER, 0),
    (LABEL, 1),
    (FILTER, 1),
)


def measure_filter(bench: Bench, count: int, advance: Advance) -> dict[str, float]:
    """Return precision and recall of acceptance, and the accepted share of each kind."""
    verdicts = judge_cases(bench, draw_cases(bench, count, SEED), advance)
    good = [is_accepted for case, is_accepted in verdicts if case.is_good]
    accepted = [case.is_good for case, is_accepted in verdicts if is_accepted]
    kinds = defaultdict[str, list[bool]](list)
    for case, is_accepted in verdicts:
        kinds[f"{case.origin}, {case.kind}"].append(is_accepted)
    by_kind = {f"{ACCEPTED}{kind}": share(hits) for kind, hits in kinds.items()}
    return {"precision": share(accepted), "recall": share(good), **by_kind}


def draw_cases(bench: Bench, count: int, seed: int) -> list[Case]:
    """Return about `count` cases, as many good as bad, kinds in equal parts, half of them soft."""
    maker = CaseMaker(load_sprites(SPRITES), seed)
    cases: list[Case] = []
    for makers in (GOOD_MAKERS, BAD_MAKERS):
        each = -(-count // (2 * len(makers)))
        for make in makers:
            cases += islice(maker.iter_cases(make), each)
    return [soften(bench, case) if number % 2 else case for number, case in enumerate(cases)]


def soften(bench: Bench, case: Case) -> Case:
    """Return the case as a generator would paint it; outside a fill nothing changes."""
    image, parent = case.image, case.parent
    [soft] = bench.round_trip([image])
    if parent is None:
        return replace(case, image=soft)
    [soft_parent] = bench.round_trip([parent])
    if case.asked:
        inside = masks.from_box(case.asked[1], SIZE_WH)[..., np.newaxis]
        soft = np.where(inside & (image != parent).any(), soft, soft_parent)
    return replace(case, image=soft, parent=soft_parent)


def judge_cases(bench: Bench, cases: Sequence[Case], advance: Advance) -> list[tuple[Case, bool]]:
    """Return each case with whether the product accepts it."""
    resources.use(bench.resources)
    with bench.resources.sessions.begin() as session:
        batches = _add_batches(bench, session, cases)
        keys = [_add_case(bench, session, batches[case.label], case) for case in cases]
        batch_ids = [batch.id for batch in batches.values()]
    for batch_id in batch_ids:
        for work, _ in CHAIN:
            with suppress(ChainEnds):  # a chain may end here
                run_step(work, batch_id)
        advance(sum(key[0] == batch_id for key in keys))
    with bench.resources.sessions() as session:
        is_accepted = Candidate.verdict == Verdict.ACCEPTED
        accepted = session.execute(select(Candidate.batch_id, Candidate.key).where(is_accepted))
        found = {(batch_id, key) for batch_id, key in accepted}
    return [(case, key in found) for case, key in zip(cases, keys, strict=True)]


def _add_batches(bench: Bench, session: Session, cases: Sequence[Case]) -> dict[str, Batch]:
    """Add a run with a batch for each label, with two label and filter steps."""
    run = Run(
        request_key="cases",
        models_key=bench.resources.models_key,
        mode="scene",
        seed=0,
        profile=dump_profile(bench.settings),
    )
    batches = {}
    for name in sorted({case.label for case in cases}):
        label = Label(run=run, name=name, mode="scene", per_label=1)
        batch = Batch(run=run, label=label, index=0, size=1, state=BatchState.IN_FLIGHT)
        session.add(batch)
        session.add_all(
            Step(batch=batch, position=at, name=work.name, queue=QUEUES[work.name], round=number)
            for at, (work, number) in enumerate(CHAIN)
        )
        batches[name] = batch
    session.flush()
    return batches


def _add_case(bench: Bench, session: Session, batch: Batch, case: Case) -> tuple[int, str]:
    """Add a case's candidate with its lineage, and return its batch and key."""
    if case.parent is None:
        candidate = _candidate(bench, batch, Origin.GENERATED, case.image)
        candidate.prompt_text = case.description
        session.add(candidate)
        session.flush()
        return batch.id, candidate.key
    parent = _candidate(bench, batch, Origin.GENERATED, case.parent)
    child = _candidate(bench, batch, case.origin, case.image)
    child.parent = parent
    scene = Scene(
        candidate=parent,
        index=0,
        background=BOOK.backgrounds[case.background].noun,
        objects=[],
        description=case.description,
    )
    session.add_all([parent, scene])
    session.flush()
    child.scene = scene
    if case.asked:
        child.placement = _placement(parent, *case.asked)
    session.add(child)
    session.flush()
    return batch.id, child.key


def _candidate(bench: Bench, batch: Batch, origin: Origin, image: RgbImage) -> Candidate:
    return Candidate(
        run_id=batch.run_id,
        label_id=batch.label_id,
        batch_id=batch.id,
        key=uuid4().hex,
        origin=origin,
        round=int(origin != Origin.GENERATED),
        seed=0,
        prompt_text="",
        model=MODEL,
        sha256=bench.resources.images.put(image, {}),
        width_px=image.shape[1],
        height_px=image.shape[0],
    )


def _placement(parent: Candidate, label: str, box_xyxy: BoxXyxy) -> Placement:
    x_min, y_min, x_max, y_max = box_xyxy
    return Placement(
        candidate=parent,
        index=0,
        label=label,
        x_min=x_min,
        y_min=y_min,
        x_max=x_max,
        y_max=y_max,
        relationship_text="",
    )
