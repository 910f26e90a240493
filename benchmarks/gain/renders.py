"""Renders: scenes of the sprite world as labelled images; the world knows their true boxes."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from PIL import Image

from benchmarks.gain.setting import Setting
from chatgenimage.factory.gain.values import LabelledImage, LabelledObject
from chatgenimage.workers.values import RgbImage
from training.world import BACKGROUNDS, World, WorldScene, load_sprites

TEST_SEED, LABELLED_SEED, REAL_SEED = 1, 2, 3


def load_world(setting: Setting) -> World:
    """Return the world of the labels alone: each object of a scene has one of them."""
    sprites = load_sprites(setting.sprites)
    return World({label: sprites[label] for label in setting.labels})


def draw_real(world: World, setting: Setting, seed: int) -> list[LabelledImage]:
    """Return the real training images: for each label some that show it, among other objects."""
    rng = np.random.default_rng((REAL_SEED, seed))
    scenes = [
        _draw_with(world, rng, label, setting.real_backgrounds)
        for label in setting.labels
        for _ in range(setting.real_per_label)
    ]
    return [to_image(scene, f"real {seed}-{index}") for index, scene in enumerate(scenes)]


def draw_test(world: World, setting: Setting) -> list[LabelledImage]:
    """Return the test images, equally many on each background; the domain is the background."""
    return draw_on(world, setting.test_backgrounds, setting.test_per_background, TEST_SEED)


def draw_everywhere(world: World, count: int) -> list[LabelledImage]:
    """Return renders on all backgrounds, on each equally many."""
    each = -(-count // len(BACKGROUNDS))
    return draw_on(world, BACKGROUNDS, each, LABELLED_SEED)[:count]


def draw_on(world: World, backgrounds: Sequence[str], each: int, seed: int) -> list[LabelledImage]:
    """Return `each` renders on every background, the backgrounds in turn."""
    rng = np.random.default_rng(seed)
    scenes = [world.scenes(rng, 1, [name])[0] for _ in range(each) for name in backgrounds]
    return [to_image(scene, f"render {seed}-{index}") for index, scene in enumerate(scenes)]


def to_image(scene: WorldScene, name: str) -> LabelledImage:
    """Return a scene with its true boxes; its domain is its background."""
    height, width = scene.image.shape[:2]
    objects = tuple(LabelledObject(item.label, item.box_xyxy) for item in scene.objects)
    image = LabelledImage.of_bytes(name, to_png(scene.image), (width, height), objects)
    return replace(image, domain=scene.background)


def to_png(pixels: RgbImage) -> bytes:
    """Return the bytes of a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _draw_with(
    world: World, rng: np.random.Generator, label: str, backgrounds: Sequence[str]
) -> WorldScene:
    """Return a scene that shows the label."""
    return next(
        scene
        for scene in _iter_scenes(world, rng, backgrounds)
        if any(item.label == label for item in scene.objects)
    )


def _iter_scenes(
    world: World, rng: np.random.Generator, backgrounds: Sequence[str]
) -> Iterator[WorldScene]:
    while True:
        yield world.scenes(rng, 1, backgrounds)[0]
