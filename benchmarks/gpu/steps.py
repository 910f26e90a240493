"""The real step code over real rows and files, with networks of real size: how busy, and halving.

No broker and no worker process: the steps run one after the other in this process, by the function
that a worker's task calls.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.loops import NAMES, draw_pictures
from benchmarks.gpu.watching import utilisation
from chatgenimage.db import dispatching
from chatgenimage.db.models import Batch, Candidate, Item, Step
from chatgenimage.db.session import Sessions
from chatgenimage.db.states import ItemState, StepState
from chatgenimage.factory.database import open_database
from chatgenimage.factory.image_store import open_images
from chatgenimage.factory.processes.dispatcher import plan_steps
from chatgenimage.factory.settings.model import Settings, load_settings
from chatgenimage.factory.submission.labels import read_labels
from chatgenimage.factory.submission.submitter import submit
from chatgenimage.tasks import resources
from chatgenimage.tasks.brainstorm import BRAINSTORM
from chatgenimage.tasks.chain import QUEUE_NAMES
from chatgenimage.tasks.edit import EDIT, IMAGINE
from chatgenimage.tasks.fill import FILL, PLACE
from chatgenimage.tasks.filter import FILTER
from chatgenimage.tasks.generate import GENERATE
from chatgenimage.tasks.label import LABEL
from chatgenimage.tasks.resources import Resources
from chatgenimage.tasks.step import run_step
from chatgenimage.workers.config import RulesConfig
from chatgenimage.workers.device import limit_memory
from chatgenimage.workers.registry import load_family

Spent = defaultdict[str, float]
"""Seconds by the name of what they went to."""
WORKS = {
    work.name: work for work in (BRAINSTORM, GENERATE, LABEL, FILTER, IMAGINE, EDIT, PLACE, FILL)
}
METHODS = (
    *("generate", "fill", "edit", "caption", "detect", "segment", "embed_images", "embed_texts"),
    *("describe_features", "write_prompts", "imagine_scenes", "place_objects"),
)
FACTS = ("identity", "logit_scale")
LABELS = ("dog", "house")
PER_LABEL = 8
HALVED_PASS = 16
FEW = 2
"""Images where there is no GPU."""
BOXES_WANTED = 8
PERMISSIVE = {
    "brightest_min": 0.0,
    "darkest_max": 1.0,
    "contrast_min": 0.0,
    "blur_max": 1.0,
    "psnr_min_db": 0.0,
    "ssim_min": -1.0,
    "seam_max": 1000.0,
    "clip_similarity_min": -1.0,
    "background_probability_min": 0.0,
    "object_kept_iou_min": 0.0,
    "fill_iou_min": 0.0,
    "label_confidence_min": 0.0,
}
"""Random networks paint and find nothing in particular; what they cost does not depend on it."""


def measure_busy(bench: Bench, families: dict[str, Any]) -> None:
    """Run two batches down the chain and keep, per step, what its models took of its time."""
    spent: Spent = defaultdict(float)
    timed = [_timed(family, spent) for family in _with_findings(bench, families)]
    settings = _settings(bench.folder / "busy", LABELS, PER_LABEL if bench.on_cuda else FEW)
    sessions = open_database(settings)
    resources.use(_resources(settings, sessions, timed))
    took: defaultdict[str, list[float]] = defaultdict(list)
    models: Spent = defaultdict(float)

    def watch(name: str, work: Callable[[], object]) -> None:
        """Run a step; keep its seconds, and those of its models."""
        before = sum(spent.values())
        took[name].append(bench.seconds(work))
        models[name] += sum(spent.values()) - before

    started = time.perf_counter()
    with utilisation() as driver:
        _run_all(sessions, settings, watch)
    wall_s = time.perf_counter() - started
    for name, times in took.items():
        what = {"step": name, "runs": len(times), "seconds": sum(times)}
        bench.add(**what, models_s=models[name], models_share=models[name] / sum(times))
    bench.add(
        step="all",
        seconds=wall_s,
        models_s=sum(spent.values()),
        models_share=sum(spent.values()) / wall_s,
        **_counted(sessions),
        **driver,
    )


def measure_halving(bench: Bench, painter: Any) -> None:  # noqa: ANN401
    """Let a pass of 16 not fit: does the product halve it, and finish?"""
    whole = HALVED_PASS if bench.on_cuda else FEW
    half = whole // 2
    prompts = [f"a {NAMES[0]}"] * whole
    with bench.peak() as whole_pass:
        painter.generate(prompts, range(whole))
    with bench.peak() as half_pass:
        painter.generate(prompts[:half], range(half))
    settings = _settings(bench.folder / "halving", LABELS[:1], whole)
    sessions = open_database(settings)
    held = _resources(settings, sessions, [painter])
    resources.use(held)
    share = 1.0
    if bench.on_cuda:
        middle = (whole_pass["reserved_bytes"] + half_pass["reserved_bytes"]) / 2
        share = middle / _total_bytes()
        bench.clean()
        limit_memory(share, bench.device)
    seconds: dict[str, float] = {}
    try:
        _run_all(
            sessions,
            settings,
            lambda name, work: seconds.update({name: bench.seconds(work)}),
            until="generate",
        )
    finally:
        if bench.on_cuda:
            limit_memory(1.0, bench.device)
    bench.add(
        pass_of=whole,
        share=share,
        reserved_bytes=whole_pass.get("reserved_bytes"),
        half_reserved_bytes=half_pass.get("reserved_bytes"),
        fitting=held.pass_sizes.limit("generate", whole),
        seconds=seconds.get("generate"),
        **_counted(sessions),
    )


def let_go() -> None:
    """Hold no family any more."""
    resources.use(replace(resources.current(), families=()))


def _settings(data_dir: Path, labels: Sequence[str], batch_size: int) -> Settings:
    """Return the micro profile's settings, with a batch of so many images per label."""
    chain = {"per_label": batch_size, "batch_size": batch_size, "class_list": list(NAMES)}
    settings = load_settings("micro", data_dir=data_dir, chain=chain, thresholds=PERMISSIVE)
    with open_database(settings).begin() as session:
        submit(session, read_labels(list(labels)).requests, settings, seed=0)
    return settings


def _resources(settings: Settings, sessions: Sessions, families: Sequence[Any]) -> Resources:
    rules = settings.families["language"]
    assert isinstance(rules, RulesConfig)  # noqa: S101  (the micro profile's)
    return Resources(
        sessions=sessions,
        images=open_images(settings),
        families=[*families, load_family(rules, "cpu")],
        delivery=settings.delivery,
        owner="bench@here#1",
    )


def _run_all(
    sessions: Sessions,
    settings: Settings,
    watch: Callable[[str, Callable[[], object]], None],
    until: str | None = None,
) -> None:
    """Run every step of every batch, or those up to one of a name."""
    with sessions.begin() as session:
        window = settings.delivery.window
        dispatching.admit(session, window=window, queues=QUEUE_NAMES, plan_steps=plan_steps)
        batches = session.scalars(select(Batch.id).order_by(Batch.id)).all()
    for batch_id in batches:
        while (name := _next_step(sessions, batch_id)) is not None:
            watch(name, partial(_run, name, batch_id))
            if name == until:
                break


def _run(name: str, batch_id: int) -> None:
    run_step(WORKS[name], batch_id)  # type: ignore[misc]  # works of several types


def _next_step(sessions: Sessions, batch_id: int) -> str | None:
    """Return the name of a batch's first step that is not done."""
    left = select(Step.name).where(Step.batch_id == batch_id, Step.state != StepState.DONE)
    with sessions() as session:
        return session.scalar(left.order_by(Step.position).limit(1))


def _counted(sessions: Sessions) -> dict[str, Any]:
    """Return how many candidates there are by origin, and how many items failed."""
    with sessions() as session:
        counted = select(Candidate.origin, func.count()).group_by(Candidate.origin)
        failed = select(func.count()).where(Item.state == ItemState.QUARANTINED)
        return {
            "candidates": {str(origin): count for origin, count in session.execute(counted)},
            "quarantined": session.scalar(failed),
        }


def _timed(family: Any, spent: Spent) -> Any:  # noqa: ANN401
    """Return what a step takes for the family; the seconds of its calls are added up.

    Of what a detector finds a few boxes are kept, as many as a trained one finds.
    """

    def timed(name: str) -> Callable[..., Any]:
        """Return a method of the family that adds its seconds to `spent`."""

        def call(*values: Any, **named: Any) -> Any:  # noqa: ANN401
            """Call the method and add its seconds."""
            started = time.perf_counter()
            made = getattr(family, name)(*values, **named)
            spent[name] += time.perf_counter() - started
            return [found[:BOXES_WANTED] for found in made] if name == "detect" else made

        return call

    methods = {name: staticmethod(timed(name)) for name in METHODS if hasattr(family, name)}
    facts = {name: getattr(family, name) for name in FACTS if hasattr(family, name)}
    return type("Timed", (), methods | facts)()


def _with_findings(bench: Bench, families: dict[str, Any]) -> list[Any]:
    """Return the families, the detector with a threshold at which it finds a few boxes."""
    picture = draw_pictures(bench.sizes.side_px, count=1)
    detector = families["dino_base"]
    eager = replace(detector, config=detector.config.model_copy(update={"box_threshold": 0.0}))
    (found,) = eager.detect(picture, [NAMES])
    threshold = found[min(BOXES_WANTED, len(found) - 1)].confidence if found else 1.0
    update = {"box_threshold": threshold}
    finding = replace(detector, config=detector.config.model_copy(update=update))
    return [family for name, family in families.items() if name != "dino_base"] + [finding]


def _total_bytes() -> int:
    import torch

    return int(torch.cuda.get_device_properties(0).total_memory)
