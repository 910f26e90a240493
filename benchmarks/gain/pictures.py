"""Pictures of the page: charts of the results, and samples of each kind of image with its boxes."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from benchmarks.gain.setting import Setting
from benchmarks.gain.trainings import FOUND_BOXES, TRUE_BOXES, Material
from chatgenimage.factory.gain import charts
from chatgenimage.factory.gain.result import GainResult
from chatgenimage.factory.gain.values import LabelledImage
from chatgenimage.factory.gain.verdict import order_arms
from chatgenimage.factory.reports.charts import Grid, to_png
from chatgenimage.factory.reports.overlay import BOX_WIDTH_PX, Overlay, colours_of, draw_tag
from training.samples import COLUMNS, SIDE_PX, Tile, to_grid

CHART, SAMPLES = "gain.png", "gain-images.png"
ROWS_OF_ACCEPTED = 2


def draw_chart(result: GainResult, folder: Path) -> str:
    """Draw the arms of `factory gain` and the curve; return the name of the file."""
    arms = [arm for arm in order_arms(result) if arm.name not in (TRUE_BOXES, FOUND_BOXES)]
    draws = [
        lambda axes: charts.draw_arms(axes, result, arms),
        lambda axes: charts.draw_curve(axes, result),
    ]
    (folder / CHART).write_bytes(to_png("", Grid(draws, 2, 4.6)))
    return CHART


def draw_samples(setting: Setting, material: Material, folder: Path) -> str:
    """Draw the first images of each kind; return the name of the file."""
    accepted = [one for one in material.candidates if one.is_accepted]
    rejected = [one for one in material.candidates if not one.is_accepted]
    real = material.real[setting.seeds[0]]
    tiles = [
        *_tiles("real", _spread(real, COLUMNS), setting.labels),
        *_tiles("test", _spread(material.test, COLUMNS), setting.labels),
        *_tiles("accepted", _spread(accepted, ROWS_OF_ACCEPTED * COLUMNS), setting.labels),
        *_tiles("rejected", _spread(rejected, COLUMNS), setting.labels),
    ]
    to_grid(tiles).save(folder / SAMPLES, optimize=True)
    return SAMPLES


def _spread(images: Sequence[LabelledImage], count: int) -> list[LabelledImage]:
    """Return some of the images at equal distances, all of them if there are fewer."""
    taken = min(count, len(images))
    return [images[index * len(images) // taken] for index in range(taken)]


def _tiles(kind: str, images: Sequence[LabelledImage], labels: Sequence[str]) -> list[Tile]:
    return [Tile(_describe(kind, image), _with_boxes(image, labels)) for image in images]


def _describe(kind: str, image: LabelledImage) -> str:
    return f"{kind}: {image.domain}" if image.domain else f"{kind}, {image.source}"


def _with_boxes(image: LabelledImage, labels: Sequence[str]) -> Image.Image:
    """Return an enlarged image with the boxes of the labels."""
    colours = colours_of(labels)
    picture = Overlay(SIDE_PX, colours).plain(image.to_rgb())
    scale = picture.width / image.size_wh[0]
    draw = ImageDraw.Draw(picture)
    for known in image.objects:
        if known.label in colours:
            x_min, y_min, x_max, y_max = (round(side * scale) for side in known.box_xyxy)
            colour = colours[known.label]
            draw.rectangle((x_min, y_min, x_max, y_max), outline=colour, width=BOX_WIDTH_PX)
            draw_tag(draw, known.label, (x_min, y_min, x_max, y_max), colour, picture.size)
    return picture
