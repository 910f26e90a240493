"""Page of sample images, written by `python -m training samples`."""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from chatgenimage.db.models import Candidate, Placement
from chatgenimage.factory.reports.overlay import WHITE, Overlay, colours_of
from chatgenimage.tasks import label
from chatgenimage.tasks.label import EncodedLabels, LabelInput, to_annotations
from chatgenimage.workers.interfaces import BackgroundEditor, ImageGenerator, ObjectFiller
from chatgenimage.workers.llm.rulebook import describe
from chatgenimage.workers.values import BoxXyxy, RgbImage
from training.bench import Bench, open_bench
from training.measure_generators import draw_fillings, draw_prompt
from training.places import ROOT
from training.words import BOOK, write_instruction
from training.world import LABELS

PAGE = ROOT / "docs/micro-models.md"
PICTURES = ROOT / "docs/images"
SAMPLES = 12
COLUMNS = 6
SIDE_PX, GAP_PX, LINE_PX, FONT_PX = 160, 12, 15, 12
TEXT_LINES, TEXT_COLUMNS = 3, 26
INK = (34, 34, 34)
SEED = 41
HEAD = """\
# Samples of the micro models

Written by `python -m training samples`. Above each image is the input or the output text of the
model. The samples are not selected: these are the first {samples} prompts of a seed, and the first
held-out scenes. The measured values are in the
model card, `workers/checkpoints/micro/README.md`. All images are 64x64 pixels, enlarged.
"""


@dataclass(frozen=True, slots=True)
class Tile:
    """An image with its text."""

    text: str
    picture: Image.Image


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page."""

    name: str
    title: str
    text: str
    draw: Callable[[Bench], list[Tile]]


def write_page() -> Path:
    """Draw all images, write the page, and return its path."""
    parts = [HEAD.format(samples=SAMPLES)]
    with open_bench() as bench:
        for section in SECTIONS:
            picture = PICTURES / f"micro-{section.name}.png"
            to_grid(section.draw(bench)).save(picture, optimize=True)
            title = f"## {section.title}\n\n{section.text}\n"
            parts += [title, f"![{section.title}](images/{picture.name})\n"]
    PAGE.write_text("\n".join(parts), encoding="utf-8")
    return PAGE


def draw_one(bench: Bench) -> list[Tile]:
    """Return samples of one object."""
    return [Tile(prompt, _plain(image)) for prompt, image in _generate(bench, 1)]


def draw_two(bench: Bench) -> list[Tile]:
    """Return samples of two objects, with the labelling models' outputs."""
    samples = _generate(bench, 2)
    return [
        Tile(f"{prompt} / BLIP-2: {labels.caption}", _labelled(image, labels))
        for (prompt, image), labels in zip(
            samples, _label(bench, [image for _, image in samples]), strict=True
        )
    ]


def draw_edits(bench: Bench) -> list[Tile]:
    """Return held-out scenes, each with its edit after it."""
    rows, held_out = range(SAMPLES // 2), bench.held_out
    before = [held_out.images[row] for row in rows]
    instructions = [write_instruction(held_out.edited_background(row)) for row in rows]
    after = bench.resources.able(BackgroundEditor).edit(before, instructions, list(rows))
    return [
        tile
        for old, text, new in zip(before, instructions, after, strict=True)
        for tile in (Tile("before", _plain(old)), Tile(text, _plain(new)))
    ]


def draw_fills(bench: Bench) -> list[Tile]:
    """Return filled scenes, the requested box dashed, with the labelling models' outputs."""
    fillings = draw_fillings(bench, SAMPLES)
    images = bench.resources.able(ObjectFiller).fill(
        [filling.image for filling in fillings],
        [filling.mask for filling in fillings],
        [filling.prompt for filling in fillings],
        list(range(len(fillings))),
    )
    return [
        Tile(filling.prompt, _labelled(image, labels, filling.box_xyxy))
        for filling, image, labels in zip(fillings, images, _label(bench, images), strict=True)
    ]


SECTIONS = (
    Section("one", "Stable Diffusion: one object", "The prompt and the generated image.", draw_one),
    Section(
        "two",
        "Stable Diffusion: two objects, labelled",
        "The prompt, then BLIP-2's caption; boxes by Grounding DINO, masks by Segment Anything.",
        draw_two,
    ),
    Section(
        "edits",
        "InstructPix2Pix: a new background",
        "A held-out scene, and the same scene after the instruction.",
        draw_edits,
    ),
    Section(
        "fills",
        "Blended Latent Diffusion: a new object",
        "The fill prompt. The dashed box is the one proposed by the placement rules; detections on "
        "the result are drawn as above.",
        draw_fills,
    ),
)


def to_grid(tiles: Sequence[Tile]) -> Image.Image:
    """Return the tiles in rows, with the text above each."""
    width, height = SIDE_PX + GAP_PX, SIDE_PX + GAP_PX + TEXT_LINES * LINE_PX
    rows = -(-len(tiles) // COLUMNS)
    grid = Image.new("RGB", (COLUMNS * width + GAP_PX, rows * height + GAP_PX), WHITE)
    draw, font = ImageDraw.Draw(grid), ImageFont.load_default(FONT_PX)
    for index, tile in enumerate(tiles):
        left, top = GAP_PX + index % COLUMNS * width, GAP_PX + index // COLUMNS * height
        lines = textwrap.wrap(tile.text, TEXT_COLUMNS)[:TEXT_LINES]
        for number, line in enumerate(lines, start=TEXT_LINES - len(lines)):
            draw.text((left, top + number * LINE_PX), line, INK, font)
        grid.paste(tile.picture, (left, top + TEXT_LINES * LINE_PX))
    return grid


def _generate(bench: Bench, objects: int) -> list[tuple[str, RgbImage]]:
    """Return prompts with the images that Stable Diffusion generated."""
    rng = np.random.default_rng(SEED)
    asked = [draw_prompt(rng, objects) for _ in range(SAMPLES)]
    prompts = [describe(nouns, BOOK.backgrounds[place].place) for nouns, place in asked]
    images = bench.resources.able(ImageGenerator).generate(prompts, list(range(SAMPLES)))
    return list(zip(prompts, images, strict=True))


def _label(bench: Bench, images: Sequence[RgbImage]) -> list[EncodedLabels]:
    """Return the label step's output for each image."""
    chain, store = bench.settings.chain, bench.resources.images
    subjects = [LabelInput(0, store.put(image, {}), chain.class_list, chain) for image in images]
    return [label.encode_masks(labels) for labels in label.compute(bench.resources, subjects)]


def _plain(image: RgbImage) -> Image.Image:
    return Overlay(SIDE_PX, {}).plain(image)


def _labelled(image: RgbImage, labels: EncodedLabels, asked: BoxXyxy | None = None) -> Image.Image:
    candidate = Candidate(annotations=to_annotations(labels))
    if asked:
        x_min, y_min, x_max, y_max = asked
        candidate.placement = Placement(x_min=x_min, y_min=y_min, x_max=x_max, y_max=y_max)
    return Overlay(SIDE_PX, colours_of(LABELS)).annotated(image, candidate)
