"""Drawing of a contact sheet: head, labels, and a card of each candidate next to its parent."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain

from PIL import Image, ImageDraw, ImageFont

from chatgenimage.db.images import ImageStore
from chatgenimage.db.models import Candidate
from chatgenimage.db.object_reviews import objects_of
from chatgenimage.db.states import Origin, Verdict
from chatgenimage.factory.reports.overlay import (
    WHITE,
    Colour,
    Overlay,
    colours_of,
    draw_dashed_box,
    join_lines,
)

CELL_PX = 224
ARROW_PX = 28
GAP_PX = 28
ROW_GAP_PX = 14
MARGIN_PX = 32
CARDS_PER_ROW = 3
CARD_WIDTH_PX = 2 * CELL_PX + ARROW_PX
TEXT_LINE_PX = 17
TEXT_LINES = 4
CARD_HEIGHT_PX = CELL_PX + TEXT_LINES * TEXT_LINE_PX + 14
HEAD_PX = 84
LABEL_PX = 44
LEGEND_LINE_PX = 20
LEGEND_END_PX = 290
WIDTH_PX = 2 * MARGIN_PX + CARDS_PER_ROW * CARD_WIDTH_PX + (CARDS_PER_ROW - 1) * GAP_PX
INK: Colour = (34, 34, 34)
GREY: Colour = (120, 120, 120)
PALE: Colour = (245, 245, 245)
ELLIPSIS = "..."
SHOWN_SCORES = {
    Origin.GENERATED: ("label_confidence", "clip_similarity"),
    Origin.IMPORTED: ("label_confidence", "clip_similarity"),
    Origin.EDITED: ("clip_similarity", "background_probability", "ssim"),
    Origin.FILLED: ("clip_similarity", "fill_iou", "ssim"),
}


def draw_sheet(
    images: ImageStore,
    candidates: Sequence[Candidate],
    title: str,
    asked: Sequence[str] = (),
    *,
    use_reviews: bool = False,
) -> Image.Image:
    """Return an image of candidates, each next to its parent.

    Args:
        images: The image store.
        candidates: Candidates, grouped by label.
        title: Headline.
        asked: Labels that get the first colours, in any case.
        use_reviews: Whether objects are as people corrected them.
    """
    each = (objects_of(candidate, use_reviews=use_reviews) for candidate in candidates)
    found = [one.label for objects in each for one in objects]
    sheet = _Sheet(images, [*asked, *sorted(found)], use_reviews=use_reviews)
    return sheet.draw(title, candidates, set(found))


def _rows_of(candidates: Sequence[Candidate]) -> Iterator[list[tuple[str, Candidate]]]:
    """Yield rows of cards, each with the label above it; labels with one card share a row."""
    groups: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        groups[candidate.label.name].append(candidate)
    singles: list[tuple[str, Candidate]] = []
    for label, group in groups.items():
        if len(group) == 1:
            singles.append((label, group[0]))
        if singles and (len(group) > 1 or len(singles) == CARDS_PER_ROW):
            yield singles
            singles = []
        if len(group) > 1:
            names = [label, *[""] * (len(group) - 1)]
            cards = list(zip(names, group, strict=True))
            yield from (
                cards[at : at + CARDS_PER_ROW] for at in range(0, len(cards), CARDS_PER_ROW)
            )
    if singles:
        yield singles


def _height_of(row: Sequence[tuple[str, Candidate]]) -> int:
    """Return the height of a row in pixels, with the line of its labels if it has one."""
    has_label = any(label for label, _ in row)
    return has_label * LABEL_PX + CARD_HEIGHT_PX + ROW_GAP_PX


class _Sheet:
    """Draws head, labels and cards from top to bottom."""

    def __init__(self, images: ImageStore, labels: Iterable[str], *, use_reviews: bool) -> None:
        self._images = images
        self._overlay = Overlay(CELL_PX, colours_of(labels), use_reviews)
        self._image = Image.new("RGB", (1, 1))
        self._draw = ImageDraw.Draw(self._image)

    def draw(self, title: str, candidates: Sequence[Candidate], shown: set[str]) -> Image.Image:
        """Return the image; `candidates` are grouped by label."""
        rows = list(_rows_of(candidates))
        row_px = [_height_of(row) for row in rows]
        height = sum(row_px) + MARGIN_PX
        most_head = HEAD_PX + LEGEND_LINE_PX * (len(shown) + 1)
        self._image = Image.new("RGB", (WIDTH_PX, most_head + height), WHITE)
        self._draw = ImageDraw.Draw(self._image)
        head = top = self._head(title, shown)
        for row, each_px in zip(rows, row_px, strict=True):
            for column, (label, candidate) in enumerate(row):
                left = MARGIN_PX + column * (CARD_WIDTH_PX + GAP_PX)
                self._write((left, top + 8), self._clipped(label, 22, CARD_WIDTH_PX), 22, INK)
                self._card(candidate, left, top + each_px - CARD_HEIGHT_PX - ROW_GAP_PX)
            top += each_px
        return self._image.crop((0, 0, WIDTH_PX, head + height))

    def _head(self, title: str, shown: set[str]) -> int:
        """Draw title and legend; return the y coordinate of their end."""
        self._write((MARGIN_PX, 22), title, 24, INK)
        left, top = float(MARGIN_PX), 60
        for label, colour in self._overlay.colours.items():
            if label not in shown:
                continue
            name = self._clipped(label, 14, CARD_WIDTH_PX)
            if left + 36 + self._draw.textlength(name, _font(14)) > WIDTH_PX - MARGIN_PX:
                left, top = float(MARGIN_PX), top + LEGEND_LINE_PX
            self._draw.rectangle((left, top + 2, left + 12, top + 14), fill=colour)
            left = self._write((left + 18, top), name, 14, INK) + 18
        if left + LEGEND_END_PX > WIDTH_PX - MARGIN_PX:
            left, top = float(MARGIN_PX), top + LEGEND_LINE_PX
        self._draw.rectangle((left, top + 1, left + 28, top + 15), fill=PALE)
        draw_dashed_box(self._draw, (left, top + 1, left + 28, top + 15))
        self._write((left + 36, top), "requested place of a filled object", 14, GREY)
        return top - 60 + HEAD_PX

    def _card(self, candidate: Candidate, left: int, top: int) -> None:
        """Draw the parent or prompt, an arrow, the candidate, and its caption and scores."""
        if candidate.parent:
            self._paste(self._overlay.plain(self._images.get(candidate.parent.sha256)), left, top)
        else:
            self._origin_of_first(candidate, left, top)
        self._arrow(left + CELL_PX, top + CELL_PX // 2)
        pixels = self._images.get(candidate.sha256)
        right = left + CELL_PX + ARROW_PX
        self._paste(self._overlay.annotated(pixels, candidate), right, top)
        instruction = candidate.prompt_text if candidate.parent else ""
        lines = chain(
            [(self._clipped(self._facts(candidate), 14, CARD_WIDTH_PX), INK)],
            ((line, INK) for line in self._wrapped(candidate.caption or "", 14, 1)),
            ((line, GREY) for line in self._wrapped(instruction, 13, 2)),
        )
        for index, (line, colour) in enumerate(lines):
            at = (left, top + CELL_PX + 8 + index * TEXT_LINE_PX)
            self._write(at, line, 13 if colour is GREY else 14, colour)

    def _origin_of_first(self, candidate: Candidate, left: int, top: int) -> None:
        """Draw an initial image's prompt or file name in the place of a parent."""
        is_picture = candidate.origin == Origin.IMPORTED
        source = (candidate.source_name or "") if is_picture else candidate.prompt_text
        self._draw.rectangle((left, top, left + CELL_PX - 1, top + CELL_PX - 1), fill=PALE)
        self._write((left + 14, top + 14), "picture" if is_picture else "prompt", 13, GREY)
        width = CELL_PX - 28
        for index, line in enumerate(self._wrapped(source, 16, 8, width)):
            self._write((left + 14, top + 38 + index * 21), line, 16, INK)

    def _paste(self, image: Image.Image, left: int, top: int) -> None:
        self._image.paste(
            image, (left + (CELL_PX - image.width) // 2, top + (CELL_PX - image.height) // 2)
        )

    def _arrow(self, left: int, middle: int) -> None:
        tip, tail = left + ARROW_PX - 7, left + 7
        self._draw.line((tail, middle, tip - 2, middle), fill=GREY, width=2)
        self._draw.polygon([(tip, middle), (tip - 6, middle - 5), (tip - 6, middle + 5)], GREY)

    @staticmethod
    def _facts(candidate: Candidate) -> str:
        scores = {score.name: score.value for score in candidate.scores}
        names = SHOWN_SCORES[Origin(candidate.origin)]
        values = [f"{name} {scores[name]:.2f}" for name in names if name in scores]
        if candidate.verdict == Verdict.REJECTED:
            values = [f"rejected: {candidate.reason}"]
        return "   ".join([f"#{candidate.id} {candidate.origin}", *values]).replace("_", " ")

    def _write(self, at: tuple[float, float], text: str, size_px: int, colour: Colour) -> float:
        """Write a line; return the x coordinate of its end."""
        self._draw.text(at, text, fill=colour, font=_font(size_px))
        return at[0] + self._draw.textlength(text, _font(size_px))

    def _wrapped(
        self, text: str, size_px: int, most_lines: int, width_px: int = CARD_WIDTH_PX
    ) -> list[str]:
        """Return the text in lines that fit, shortened with an ellipsis."""
        lines = [""]
        for word in text.split():
            longer = f"{lines[-1]} {word}".strip()
            if not lines[-1] or self._draw.textlength(longer, _font(size_px)) <= width_px:
                lines[-1] = longer
            elif len(lines) < most_lines:
                lines.append(word)
            else:
                lines[-1] += ELLIPSIS
                break
        return [self._clipped(line, size_px, width_px) for line in lines]

    def _clipped(self, text: str, size_px: int, width_px: int) -> str:
        line = join_lines(text)
        if self._draw.textlength(line, _font(size_px)) <= width_px:
            return line
        while line and self._draw.textlength(line + ELLIPSIS, _font(size_px)) > width_px:
            line = line[:-1]
        return line + ELLIPSIS


@cache
def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)
