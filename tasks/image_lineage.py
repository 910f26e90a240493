"""Candidate rows from painted images: the common part of generate, edit and fill."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from chatgenimage.db.models import Candidate, Placement, Prompt, Scene, Step
from chatgenimage.db.states import Origin
from chatgenimage.tasks.resources import Resources
from chatgenimage.tasks.step_definition import options_of
from chatgenimage.tasks.words import painted_as, styled
from chatgenimage.workers.interfaces import Family, PromptReader
from chatgenimage.workers.values import NO_OPTIONS, ImageOptions, RgbImage

UNREAD = "prompt_unread"
"""Key in a candidate's model settings: the end of its prompt that the model did not read."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """Everything about an image that is known before it is painted."""

    run_id: int
    label_id: int
    batch_id: int
    label: str
    key: str
    seed: int
    origin: Origin
    round: int
    prompt_text: str
    parent_id: int | None = None
    parent_sha256: str | None = None
    prompt_id: int | None = None
    scene_id: int | None = None
    placement_id: int | None = None
    painted_as: str | None = None
    """What the label is called in the prompt; None: by its name, or it need not be there."""
    options: ImageOptions = NO_OPTIONS
    """What its label asks for; edits and fills have none."""


@dataclass(frozen=True, slots=True)
class PaintedPixels:
    """An image that is not stored yet: (H, W, 3) uint8 RGB, and the identity of its model."""

    pixels: RgbImage
    model: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PaintedImage:
    """A stored image and the identity of the model that made it."""

    sha256: str
    size_wh: tuple[int, int]
    model: dict[str, Any]


def derive_seed(*parts: object) -> int:
    """Return a 32-bit seed that depends only on the parts, on every machine."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:4], "big")


def lineage_of_prompt(step: Step, prompt: Prompt) -> Lineage:
    """Return the lineage of an initial image (section 3.1)."""
    key = f"b{step.batch.index}/g{prompt.index}"
    label, chain = step.batch.label.name, options_of(step).chain
    return Lineage(
        **_home(step, key),
        origin=Origin.GENERATED,
        prompt_text=styled(prompt.text, label, chain),
        prompt_id=prompt.id,
        painted_as=painted_as(label, chain),
        options=chain.image_options(label),
    )


def lineage_of_scene(step: Step, scene: Scene, instruction: str) -> Lineage:
    """Return the lineage of a background edit (section 3.4, Background Imagination)."""
    return Lineage(
        **_home(step, f"{scene.candidate.key}/e{scene.index}"),
        **_parent(scene.candidate),
        origin=Origin.EDITED,
        prompt_text=instruction,
        scene_id=scene.id,
    )


def lineage_of_placement(step: Step, placement: Placement, prompt_text: str) -> Lineage:
    """Return the lineage of a filled object (section 3.4, Foreground Object Filling)."""
    return Lineage(
        **_home(step, f"{placement.candidate.key}/f{placement.index}"),
        **_parent(placement.candidate),
        origin=Origin.FILLED,
        prompt_text=prompt_text,
        scene_id=placement.candidate.scene_id,
        placement_id=placement.id,
    )


def painted_by(
    family: Family,
    lineages: Sequence[Lineage],
    images: Sequence[RgbImage],
    notes: Sequence[Mapping[str, Any]] | None = None,
) -> list[PaintedPixels]:
    """Return the images with the identity of their model.

    Args:
        family: The model that painted them.
        lineages: The lineage of each image.
        images: The painted images.
        notes: Other values that influenced each image; stored among the model's settings.
    """
    notes = [{}] * len(lineages) if notes is None else notes
    unread = [{UNREAD: text} if text else {} for text in unread_of(family, lineages)]
    return [
        PaintedPixels(pixels, _model(family, {**note, **cut}))
        for pixels, note, cut in zip(images, notes, unread, strict=True)
    ]


def unread_of(family: Family, lineages: Sequence[Lineage]) -> list[str]:
    """Return the end of each prompt that a family does not read; "" if it reads everything."""
    prompts = [lineage.prompt_text for lineage in lineages]
    return family.unread(prompts) if isinstance(family, PromptReader) else [""] * len(prompts)


def parents_of(lineage: Lineage) -> Sequence[str]:
    """Return the sha256 of the image that is edited or filled, if there is one."""
    return (lineage.parent_sha256,) if lineage.parent_sha256 else ()


def store_painted(resources: Resources, lineage: Lineage, painted: PaintedPixels) -> PaintedImage:
    """Store an image, with its provenance in the PNG."""
    pixels, model = painted.pixels, painted.model
    sha256 = resources.images.put(pixels, _provenance(lineage, model))
    return PaintedImage(sha256, (pixels.shape[1], pixels.shape[0]), model)


def _model(family: Family, note: Mapping[str, Any]) -> dict[str, Any]:
    model = family.identity.to_record()
    return model | {"settings": model["settings"] | note}


def add_candidate(session: Session, _step: Step, lineage: Lineage, painted: PaintedImage) -> None:
    """Write the candidate's row."""
    session.add(
        Candidate(
            run_id=lineage.run_id,
            label_id=lineage.label_id,
            batch_id=lineage.batch_id,
            key=lineage.key,
            parent_id=lineage.parent_id,
            prompt_id=lineage.prompt_id,
            scene_id=lineage.scene_id,
            placement_id=lineage.placement_id,
            origin=lineage.origin,
            round=lineage.round,
            seed=lineage.seed,
            prompt_text=lineage.prompt_text,
            model=painted.model,
            sha256=painted.sha256,
            width_px=painted.size_wh[0],
            height_px=painted.size_wh[1],
        )
    )


def _home(step: Step, key: str) -> dict[str, Any]:
    """Return where a candidate belongs: run, label, batch and round, with its key and its seed."""
    batch = step.batch
    return {
        "run_id": batch.run_id,
        "label_id": batch.label_id,
        "batch_id": batch.id,
        "label": batch.label.name,
        "key": key,
        "seed": derive_seed(batch.run.seed, batch.label.name, key),
        "round": step.round,
    }


def _parent(candidate: Candidate) -> dict[str, Any]:
    return {"parent_id": candidate.id, "parent_sha256": candidate.sha256}


def _provenance(lineage: Lineage, model: dict[str, Any]) -> dict[str, Any]:
    """Return what is stored in the image's file.

    Without the number of the run: the same image made again has the same hash.
    """
    return {
        "label": lineage.label,
        "key": lineage.key,
        "origin": lineage.origin,
        "prompt": lineage.prompt_text,
        "seed": lineage.seed,
        "parent": lineage.parent_sha256,
        "model": model,
    }
