"""Test cases for the filter: images that are known to be good or bad."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from chatgenimage.db.states import Origin
from chatgenimage.workers import boxes, masks
from chatgenimage.workers.llm.rulebook import describe
from chatgenimage.workers.llm.rules import Rules
from chatgenimage.workers.values import BoxXyxy, Detection, ModelIdentity, RgbImage
from training.backgrounds import SIZE_PX, paint_background
from training.bench import LabelledBox
from training.words import BOOK
from training.world import BACKGROUNDS, LABELS, PlacedObject, Sprite, World, WorldScene

SIZE_WH = (SIZE_PX, SIZE_PX)
FITTING_IOU = 0.7
"""Minimum IoU of a good case's object with its box; 0.5 is enough for the filter, so values around
0.5 are avoided."""
TRIES = 200


@dataclass(frozen=True, slots=True)
class Case:
    """An image, its parent, and the request.

    Attributes:
        kind: "good", or the defect.
        label: The label of its batch.
        description: Description of the expected scene.
        background: The requested background, by its name in the rule book.
        parent: The image it was edited or filled from; None if generated.
        asked: The object to fill in, and its box.
    """

    origin: Origin
    kind: str
    image: RgbImage
    label: str
    description: str
    background: str
    parent: RgbImage | None = None
    asked: LabelledBox | None = None

    @property
    def is_good(self) -> bool:
        """Whether the filter should accept it."""
        return self.kind == GOOD


GOOD = "good"
Maker = Callable[["CaseMaker"], Case | None]


class CaseMaker:
    """Makes cases from random scenes; a maker returns None if its scene does not allow one."""

    def __init__(self, sprites: Mapping[str, Sprite], seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.sprites = sprites
        self._world = World(sprites)
        self._rules = Rules(BOOK, ModelIdentity("rules", "", ""))

    def iter_cases(self, make: Maker) -> Iterator[Case]:
        """Yield cases of one kind endlessly."""
        while True:
            case = make(self)
            if case:
                yield case

    def pair(self) -> tuple[WorldScene, WorldScene]:
        """Return the same objects on two backgrounds."""
        return self._world.pair(self.rng)

    def other_than(self, names: tuple[str, ...], taken: list[str]) -> str:
        """Return a random name that is not taken."""
        return str(self.rng.choice([name for name in names if name not in taken]))

    def place(self, scene: WorldScene, label: str) -> BoxXyxy | None:
        """Return the box of a new object by the product's rule book, if there is room."""
        answer = self._rules.place_objects(
            _describe(scene, scene.background),
            [Detection(item.label, 1.0, item.box_xyxy) for item in scene.objects],
            [label],
            1,
            size_wh=SIZE_WH,
            seed=int(self.rng.integers(2**31)),
        )
        return answer.value[0].box_xyxy if answer.value else None

    def repaint(self, scene: WorldScene, objects: list[PlacedObject]) -> RgbImage:
        """Return another view of the scene's background with only these of its objects."""
        canvas = np.round(paint_background(scene.background, self.rng) * 255).astype(np.uint8)
        for item in objects:
            canvas[item.mask] = scene.image[item.mask]
        return canvas

    def paste(self, image: RgbImage, label: str, box_xyxy: BoxXyxy) -> tuple[RgbImage, BoxXyxy]:
        """Paste an object in the middle of a box, as large as fits; return image and its box."""
        x_min, y_min, x_max, y_max = map(int, box_xyxy)
        sizes = self.sprites[label]
        fitting = [
            side
            for side, rgba in sizes.items()
            if rgba.shape[0] <= y_max - y_min and rgba.shape[1] <= x_max - x_min
        ]
        rgba = sizes[max(fitting, default=min(sizes))]
        height, width = rgba.shape[:2]
        left = min(max((x_min + x_max - width) // 2, 0), SIZE_PX - width)
        top = min(max((y_min + y_max - height) // 2, 0), SIZE_PX - height)
        pasted = image.copy()
        window = pasted[top : top + height, left : left + width]
        alpha = rgba[..., 3:]
        window[...] = np.round(window * (1 - alpha) + rgba[..., :3] * alpha * 255).astype(np.uint8)
        return pasted, (left, top, left + width, top + height)


def generated(maker: CaseMaker) -> Case:
    """Make a scene that matches its prompt."""
    scene, _ = maker.pair()
    return _generated(scene, GOOD)


def generated_without_object(maker: CaseMaker) -> Case:
    """Make a scene without the requested object."""
    scene, _ = maker.pair()
    case = _generated(scene, "object removed")
    return replace(case, image=maker.repaint(scene, list(scene.objects[1:])))


def generated_elsewhere(maker: CaseMaker) -> Case:
    """Make a scene on another background than in the prompt."""
    scene, other = maker.pair()
    return replace(_generated(scene, "wrong background"), image=other.image)


def edited(maker: CaseMaker) -> Case:
    """Make an edit with the same objects on the new background."""
    return _edited(*maker.pair(), GOOD)


def edited_without_object(maker: CaseMaker) -> Case:
    """Make an edit that lost an object."""
    before, after = maker.pair()
    case = _edited(before, after, "object removed")
    return replace(case, image=maker.repaint(after, list(after.objects[1:])))


def edited_with_moved_object(maker: CaseMaker) -> Case | None:
    """Make an edit with an object in another place."""
    before, after = maker.pair()
    first, *rest = after.objects
    taken = [item.box_xyxy for item in after.objects]
    for _ in range(TRIES):
        x, y = maker.rng.integers(-SIZE_PX, SIZE_PX, 2).tolist()
        x_min, y_min, x_max, y_max = first.box_xyxy
        box = (x_min + x, y_min + y, x_max + x, y_max + y)
        if boxes.clip(box, SIZE_WH) == box and not any(boxes.intersection(box, o) for o in taken):
            moved = PlacedObject(first.label, box, np.roll(first.mask, (y, x), (0, 1)))
            image = maker.repaint(after, rest)
            image[moved.mask] = np.roll(after.image, (y, x), (0, 1))[moved.mask]
            return replace(_edited(before, after, "object moved"), image=image)
    return None


def edited_with_other_object(maker: CaseMaker) -> Case:
    """Make an edit in which an object became another."""
    before, after = maker.pair()
    first, *rest = after.objects
    label = maker.other_than(LABELS, [item.label for item in after.objects])
    image, _ = maker.paste(maker.repaint(after, rest), label, first.box_xyxy)
    return replace(_edited(before, after, "wrong object"), image=image)


def edited_without_change(maker: CaseMaker) -> Case:
    """Make an edit that kept the old background."""
    before, after = maker.pair()
    case = _edited(before, after, "background unchanged")
    return replace(case, image=maker.repaint(before, list(before.objects)))


def filled(maker: CaseMaker) -> Case | None:
    """Make a fill with the requested object in its box."""
    return _filled(maker, GOOD)


def filled_with_nothing(maker: CaseMaker) -> Case | None:
    """Make a fill without any change."""
    case = _filled(maker, "nothing painted")
    return replace(case, image=case.parent) if case and case.parent is not None else None


def filled_with_other_object(maker: CaseMaker) -> Case | None:
    """Make a fill with another object in the box."""
    case = _filled(maker, "wrong object")
    if case is None or case.asked is None or case.parent is None:
        return None
    label, box = case.asked
    image, _ = maker.paste(case.parent, maker.other_than(LABELS, [label]), box)
    return replace(case, image=image)


def filled_with_seam(maker: CaseMaker) -> Case | None:
    """Make a fill with the requested object, on a background that ends at the box's edge."""
    case = _filled(maker, "artefacts at the box edge")
    if case is None or case.asked is None or case.parent is None:
        return None
    label, box = case.asked
    ground = paint_background(maker.other_than(BACKGROUNDS, [case.background]), maker.rng)
    inside = masks.from_box(box, SIZE_WH)[..., np.newaxis]
    patched = np.where(inside, np.round(ground * 255).astype(np.uint8), case.parent)
    image, _ = maker.paste(patched, label, box)
    return replace(case, image=image)


GOOD_MAKERS: tuple[Maker, ...] = (generated, edited, filled)
BAD_MAKERS: tuple[Maker, ...] = (
    generated_without_object,
    generated_elsewhere,
    edited_without_object,
    edited_with_moved_object,
    edited_with_other_object,
    edited_without_change,
    filled_with_nothing,
    filled_with_other_object,
    filled_with_seam,
)


def _generated(scene: WorldScene, kind: str) -> Case:
    text = _describe(scene, scene.background)
    return Case(Origin.GENERATED, kind, scene.image, scene.objects[0].label, text, scene.background)


def _edited(before: WorldScene, after: WorldScene, kind: str) -> Case:
    return Case(
        Origin.EDITED,
        kind,
        after.image,
        after.objects[0].label,
        _describe(after, after.background),
        after.background,
        before.image,
    )


def _filled(maker: CaseMaker, kind: str) -> Case | None:
    scene, _ = maker.pair()
    label = maker.other_than(LABELS, [item.label for item in scene.objects])
    box = maker.place(scene, label)
    if box is None:
        return None
    image, pasted = maker.paste(scene.image, label, box)
    sticks_out = boxes.intersection(box, pasted) < boxes.box_area(pasted)
    if sticks_out or boxes.iou(box, pasted) < FITTING_IOU:
        return None
    text = _describe(scene, scene.background)
    asked = (label, box)
    own = scene.objects[0].label
    return Case(Origin.FILLED, kind, image, own, text, scene.background, scene.image, asked)


def _describe(scene: WorldScene, background: str) -> str:
    return describe([item.label for item in scene.objects], BOOK.backgrounds[background].place)
