"""One measurement of `benchmarks.device`: prints what was seen of each device as JSON.

A process of its own, so that it can run with the product of another checkout.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import func, select, update

from benchmarks.device.families import Device, SleepingLabeller, SleepingPainter
from benchmarks.device.hooks import DEVICE_FILE, busy_file
from benchmarks.waiting import wait_for
from chatgenimage.db import dispatching
from chatgenimage.db.models import Batch, Candidate, Step
from chatgenimage.db.session import Sessions
from chatgenimage.db.states import StepState, Verdict
from chatgenimage.factory.database import open_database
from chatgenimage.factory.image_store import open_images
from chatgenimage.factory.processes.dispatcher import plan_steps
from chatgenimage.factory.settings.model import Settings, load_settings
from chatgenimage.factory.submission.labels import read_labels
from chatgenimage.factory.submission.submitter import submit
from chatgenimage.tasks import resources
from chatgenimage.tasks.brainstorm import BRAINSTORM
from chatgenimage.tasks.chain import QUEUE_NAMES
from chatgenimage.tasks.edit import IMAGINE
from chatgenimage.tasks.generate import GENERATE
from chatgenimage.tasks.label import LABEL
from chatgenimage.tasks.resources import Resources
from chatgenimage.tasks.step import run_step
from chatgenimage.workers.registry import load_family
from tests import s3
from tests.external import S3

PASS = 4
IMAGES = 64
PER_LABEL = 16
WORDS = ("dog", "house", "car", "tree", "owl", "castle", "boat", "ball")
PAINTER = ("diffusion",)
CHAIN = ("diffusion", "editing", "labeling")
Figures = dict[str, float]
"""Of a device: `whole`, its busy share from its first pass to its last; `together`, the same while
every device of the case has begun and none has ended; `processor_ms`, the processor time per image
of the worker's child."""


class Pass(NamedTuple):
    """A pass of a device: seconds since the epoch, and the processor time of its process before."""

    start: float
    end: float
    used_s: float


def main() -> None:
    """Measure one case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", choices=("painter", "chain", "s3"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--side-px", type=int, default=1024)
    parser.add_argument("--image-s", type=float, default=0.1)
    options = parser.parse_args()
    options.folder.mkdir()
    roles = CHAIN if options.case == "chain" else PAINTER
    with ExitStack() as servers:
        if options.case == "s3":
            servers.enter_context(bucket(options.folder / "buckets"))
        settings = settings_for(options.folder)
        found = measure(settings, roles, options.side_px, options.image_s)
    print(json.dumps(found))  # noqa: T201  # its result


@contextmanager
def bucket(folder: Path) -> Iterator[None]:
    """Run an S3 server, and name it in the environment of all processes."""
    server = s3.S3Server(S3.require(), folder)
    os.environ |= {
        "AWS_ACCESS_KEY_ID": s3.KEY,
        "AWS_SECRET_ACCESS_KEY": s3.SECRET,
        "FACTORY_IMAGE_STORE_URL": f"s3://{s3.BUCKET}/images",
        "FACTORY_IMAGE_STORE_ENDPOINT": server.endpoint,
    }
    try:
        yield
    finally:
        server.stop()


def settings_for(folder: Path) -> Settings:
    """Return the micro profile's settings with passes of four, for all processes."""
    os.environ |= {
        "FACTORY_DATA_DIR": str(folder),
        "FACTORY_CHAIN__PER_LABEL": str(PER_LABEL),
        "FACTORY_CHAIN__BATCH_SIZE": str(PASS),
        "FACTORY_CHAIN__SCENES_PER_CANDIDATE": "1",
        "FACTORY_DELIVERY__WINDOW": "100",
    }
    return load_settings("micro")


def measure(
    settings: Settings, roles: Sequence[str], side_px: int, image_s: float
) -> dict[str, Figures]:
    """Return what was seen of each role's device."""
    sessions = prepare(settings, side_px, edits="editing" in roles)
    # The labeller gets the images of both painters.
    image_s_of = {role: image_s / 2 if role == "labeling" else image_s for role in roles}
    asked = {"side_px": side_px, "image_s": image_s_of}
    (settings.data_dir / DEVICE_FILE).write_text(json.dumps(asked), encoding="utf-8")
    with sessions() as session:
        wanted = IMAGES + (session.scalar(select(func.count(Candidate.id))) or 0)
    counts: dict[str, Callable[[], bool]] = {
        "diffusion": lambda: _count(sessions, GENERATE.name) * PASS >= wanted,
        "editing": lambda: _count(sessions, "edit") * PASS >= IMAGES,
        "labeling": lambda: _count(sessions, LABEL.name) * PASS >= wanted + IMAGES,
    }
    with ExitStack() as workers:
        for role in roles:
            workers.enter_context(worker(settings, role))
        wait_for(lambda: all(counts[role]() for role in roles))
    return figures({role: read_passes(busy_file(settings.data_dir, role)) for role in roles})


def prepare(settings: Settings, side_px: int, *, edits: bool) -> Sessions:
    """Bring batches to the step `generate`, and others to `edit`, without any worker."""
    sessions = open_database(settings)
    count = IMAGES // PER_LABEL * (2 if edits else 1)
    with sessions.begin() as session:
        submit(session, read_labels(list(WORDS[:count])).requests, settings, seed=0)
    device = Device(0.0, settings.data_dir / "preparation")
    language = load_family(settings.families["language"], "cpu")
    families = (language, SleepingPainter(device, side_px), SleepingLabeller(device))
    resources.use(Resources(sessions, open_images(settings), families, settings.delivery, "here#1"))
    batches = _admit_all(sessions, settings)
    for batch_id in batches:
        run_step(BRAINSTORM, batch_id)
    for batch_id in batches[: IMAGES // PASS] if edits else ():
        run_step(GENERATE, batch_id)
        run_step(LABEL, batch_id)
        _accept_all(sessions, batch_id)
        run_step(IMAGINE, batch_id)
    with sessions.begin() as session:  # no message was sent
        session.execute(update(Batch).values(rung_at=None))
    return sessions


def _admit_all(sessions: Sessions, settings: Settings) -> Sequence[int]:
    """Put every batch in flight; return their ids."""
    with sessions.begin() as session:
        for _ in iter(
            lambda: dispatching.admit(
                session,
                window=settings.delivery.window,
                queues=QUEUE_NAMES,
                plan_steps=plan_steps,
            ),
            0,
        ):
            session.flush()
            session.execute(update(Step).where(Step.position == 0).values(state=StepState.DONE))
        session.execute(update(Step).values(state=StepState.READY))
        return session.scalars(select(Batch.id).order_by(Batch.id)).all()


def _accept_all(sessions: Sessions, batch_id: int) -> None:
    """Accept a batch's images without measuring them."""
    with sessions.begin() as session:
        session.execute(
            update(Step)
            .where(Step.batch_id == batch_id, Step.name == "filter", Step.round == 0)
            .values(state=StepState.DONE)
        )
        session.execute(
            update(Candidate).where(Candidate.batch_id == batch_id).values(verdict=Verdict.ACCEPTED)
        )


@contextmanager
def worker(settings: Settings, role: str) -> Iterator[None]:
    """Run a worker of a role until the block ends."""
    with (
        (settings.data_dir / f"{role}.log").open("ab") as log,
        subprocess.Popen(  # noqa: S603  # our own module
            [
                *(sys.executable, "-W", "ignore", "-m", "benchmarks.device.worker", role),
                *("--profile", "micro", "--until-stdin-closes"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
        ) as process,
    ):
        yield
        process.terminate()


def read_passes(path: Path) -> list[Pass]:
    """Return what a device noted."""
    return [Pass(*json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def figures(passes: Mapping[str, Sequence[Pass]]) -> dict[str, Figures]:
    """Return the figures of each role."""
    together = (
        max(first.start for first, *_ in passes.values()),
        min(last.end for *_, last in passes.values()),
    )
    return {
        role: {
            "whole": busy_share(its, its[0].start, its[-1].end),
            "together": busy_share(its, *together),
            "processor_ms": 1000 * (its[-1].used_s - its[0].used_s) / (PASS * (len(its) - 1)),
        }
        for role, its in passes.items()
    }


def busy_share(passes: Sequence[Pass], start: float, end: float) -> float:
    """Return the share of a time that was spent in passes."""
    busy_s = sum(max(min(each.end, end) - max(each.start, start), 0.0) for each in passes)
    return busy_s / (end - start)


def _count(sessions: Sessions, name: str) -> int:
    """Return how many steps of a name are done."""
    done = select(func.count(Step.id)).where(Step.name == name, Step.state == StepState.DONE)
    with sessions() as session:
        return session.scalar(done) or 0


if __name__ == "__main__":
    main()
