"""Builds real rows and images through the ORM and the image store: a small, true-looking run."""

from dataclasses import dataclass
from itertools import count

import numpy as np
from PIL import Image, ImageDraw
from sqlalchemy import select

from chatgenimage.db.images import ImageStore
from chatgenimage.db.models import (
    Annotation,
    Batch,
    Candidate,
    Fingerprint,
    Item,
    Label,
    Placement,
    Prompt,
    Run,
    Scene,
    Score,
    Step,
)
from chatgenimage.db.session import Sessions, connect, upgrade
from chatgenimage.db.states import BatchState, Marked, Origin, StepState, Verdict
from chatgenimage.factory.settings.model import DATABASE_FILE, IMAGES_FOLDER, load_settings
from chatgenimage.factory.settings.run_profile import dump_profile
from chatgenimage.workers import masks
from chatgenimage.workers.fingerprints import pack

SIZE_PX = 64
DOG_BOX = (8.0, 24.0, 30.0, 54.0)
TREE_BOX = (38.0, 12.0, 58.0, 50.0)
MODEL = {
    "family": "stable_diffusion",
    "checkpoint": "bundled:micro/stable_diffusion",
    "revision": "0f3a",
    "settings": {"num_inference_steps": 20},
}
CHAIN = ("brainstorm", "generate", "label", "filter")
SCENE_CHAIN = (*CHAIN, "imagine", "edit", "label", "place", "fill", "label", "filter")


@dataclass(frozen=True)
class Place:
    """A migrated database and an empty image store."""

    data_dir: object
    sessions: Sessions
    images: ImageStore


def make_database(data_dir):
    """Write an empty database where `factory run` would."""
    upgrade(f"sqlite:///{data_dir / DATABASE_FILE}")


def open_place(data_dir) -> Place:
    """Return what lies in a data folder."""
    sessions = connect(f"sqlite:///{data_dir / DATABASE_FILE}")
    return Place(data_dir, sessions, image_store(data_dir))


def image_store(data_dir) -> ImageStore:
    """Return the image store of a data folder."""
    return ImageStore(str(data_dir / IMAGES_FOLDER))


def add_run(session, labels=("dog",), *, batches=1, state="active", priority=0, **columns):
    """Add a run with labels and waiting batches; return it."""
    run = Run(
        request_key="k",
        mode="scene",
        seed=0,
        profile=columns.pop("profile", None) or dump_profile(load_settings("micro")),
        state=state,
        priority=priority,
        **columns,
    )
    session.add(run)
    session.flush()
    for name in labels:
        label = Label(run_id=run.id, name=name, mode="scene", per_label=batches)
        session.add(label)
        session.flush()
        session.add_all(
            Batch(run_id=run.id, label_id=label.id, index=index, size=1) for index in range(batches)
        )
    session.flush()
    return run


def add_steps(session, batch, names=CHAIN, *, done=0):
    """Put a batch in flight with these steps, of which the first `done` are done."""
    batch.state = BatchState.IN_FLIGHT
    steps = [
        Step(
            batch_id=batch.id,
            position=position,
            name=name,
            queue="q",
            round=int(position >= len(CHAIN)),
            state=StepState.DONE if position < done else StepState.READY,
        )
        for position, name in enumerate(names)
    ]
    session.add_all(steps)
    session.flush()
    return steps


def add_item(session, step, subject_id, state="done", error=None):
    """Add one unit of a step's work."""
    item = Item(step_id=step.id, subject_id=subject_id, state=state, error=error, attempts=1)
    session.add(item)
    session.flush()
    return item


def paint(background, *objects):
    """Return pixels with coloured shapes in boxes, and the true mask of each."""
    image = Image.new("RGB", (SIZE_PX, SIZE_PX), background)
    found = []
    for colour, box in objects:
        x_min, y_min, x_max, y_max = box
        mask = Image.new("1", (SIZE_PX, SIZE_PX))
        ImageDraw.Draw(mask).ellipse((x_min, y_min, x_max - 1, y_max - 1), fill=1)
        image.paste(colour, mask=mask)
        found.append(np.asarray(mask, dtype=bool))
    return np.asarray(image), found


def annotation(label, box, mask, index=0, confidence=0.9):
    """Return the row of one object."""
    x_min, y_min, x_max, y_max = box
    return Annotation(
        index=index,
        label=label,
        confidence=confidence,
        x_min=x_min,
        y_min=y_min,
        x_max=x_max,
        y_max=y_max,
        rle=dict(masks.encode(mask)),
        area_px=masks.mask_area(mask),
    )


_numbers = count()


def add_candidate(place, session, batch, objects=(), *, background="white", parent=None, **columns):
    """Add an image with `objects` [(label, colour, box)], and its row; accepted by default."""
    pixels, found = paint(background, *((colour, box) for _, colour, box in objects))
    key = columns.pop("key", f"b{batch.index}/g{next(_numbers)}")
    scores = columns.pop("scores", {"clip_similarity": 0.3})
    columns = {
        "origin": Origin.GENERATED,
        "round": 0,
        "seed": 7,
        "prompt_text": f"a {batch.label.name} on grass",
        "caption": f"a {batch.label.name} in a place",
        "verdict": Verdict.ACCEPTED,
        **columns,
    }
    candidate = Candidate(
        run_id=batch.run_id,
        label_id=batch.label_id,
        batch_id=batch.id,
        key=key,
        parent_id=parent.id if parent else None,
        model=MODEL,
        labelled_by={"detector": MODEL},
        sha256=place.images.put(pixels, {"label": batch.label.name, "key": key}),
        width_px=SIZE_PX,
        height_px=SIZE_PX,
        object_count=len(objects),
        annotations=[
            annotation(label, box, mask, index)
            for index, ((label, _, box), mask) in enumerate(zip(objects, found, strict=True))
        ],
        scores=[Score(name=name, value=value) for name, value in scores.items()],
        **columns,
    )
    session.add(candidate)
    session.flush()
    return candidate


def add_fingerprint(session, candidate, phash="00000000000000ff", embedding=(1.0, 0.0)):
    """Add what near-duplicates of a candidate are found by."""
    packed = pack(np.array(embedding, np.float32))
    session.add(Fingerprint(candidate_id=candidate.id, phash=phash, embedding=packed))
    session.flush()


def add_family(place, session, batch):
    """Add a generated candidate, an edit of it and a fill of that; return the three."""
    label = batch.label.name
    prompt = Prompt(batch_id=batch.id, index=0, text=f"a {label} on grass")
    session.add(prompt)
    session.flush()
    root = add_candidate(
        place,
        session,
        batch,
        [(label, "saddlebrown", DOG_BOX)],
        background="palegreen",
        key=f"b{batch.index}/g0",
        prompt_id=prompt.id,
        caption=f"a {label} on grass",
    )
    edited = add_edit(place, session, batch, root)
    return root, edited, add_fill(place, session, batch, edited)


def add_edit(place, session, batch, root):
    """Add a scene on a beach for a generated candidate, and the edit that follows it."""
    label = batch.label.name
    scene = Scene(
        candidate_id=root.id,
        index=0,
        background="a beach",
        objects=[label, "tree"],
        description=f"a {label} and a tree on a beach",
    )
    session.add(scene)
    session.flush()
    return add_candidate(
        place,
        session,
        batch,
        [(label, "saddlebrown", DOG_BOX)],
        background="moccasin",
        key=f"{root.key}/e0",
        parent=root,
        scene_id=scene.id,
        origin=Origin.EDITED,
        round=1,
        prompt_text="change the background to a beach",
        caption=f"a {label} on a beach",
        scores={"clip_similarity": 0.28, "psnr_db": 24.0, "ssim": 0.8},
    )


def add_fill(place, session, batch, edited):
    """Add a placement of a tree in an edited candidate, and the fill that follows it."""
    label = batch.label.name
    x_min, y_min, x_max, y_max = TREE_BOX
    placement = Placement(
        candidate_id=edited.id,
        index=0,
        label="tree",
        x_min=x_min - 2,
        y_min=y_min - 2,
        x_max=x_max + 2,
        y_max=y_max + 2,
        relationship_text=f"next to the {label}",
    )
    session.add(placement)
    session.flush()
    return add_candidate(
        place,
        session,
        batch,
        [(label, "saddlebrown", DOG_BOX), ("tree", "darkgreen", TREE_BOX)],
        background="moccasin",
        key=f"{edited.key}/f0",
        parent=edited,
        scene_id=edited.scene_id,
        placement_id=placement.id,
        origin=Origin.FILLED,
        round=1,
        prompt_text=f"a tree next to the {label}",
        caption=f"a {label} and a tree on a beach",
        scores={"clip_similarity": 0.35, "fill_iou": 0.83},
    )


def batch_of(session, run):
    """Return the run's first batch."""
    return session.scalars(select(Batch).where(Batch.run_id == run.id).order_by(Batch.id)).first()


def batches_of(session, run):
    """Return the run's batches."""
    return session.scalars(select(Batch).where(Batch.run_id == run.id).order_by(Batch.id)).all()


def current_step(session, batch_id):
    """Return the first step of the batch that is not done, if any."""
    left = select(Step).where(Step.batch_id == batch_id, Step.state != StepState.DONE)
    return session.scalar(left.order_by(Step.position).limit(1))


def marks(session):
    """Return whether candidates are marked as good, by id."""
    candidates = session.scalars(select(Candidate).order_by(Candidate.id))
    return {one.id: one.mark is Marked.GOOD for one in candidates if one.mark is not None}
