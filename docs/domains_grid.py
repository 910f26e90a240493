"""Draw docs/images/domains.png: an accepted image of each label in each domain of run 1.

Usage: python -m docs.domains_grid DATA_DIR
"""  # noqa: INP001  (a script, no package)

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from chatgenimage.factory.query.rows import CandidateRow
from chatgenimage.factory.query.store import Store, open_store

PICTURE = Path(__file__).parent / "images/domains.png"
SIDE_PX, GAP_PX, HEAD_PX, LEFT_PX = 80, 4, 22, 40


def main() -> None:
    """Draw the grid: labels in rows, domains in columns."""
    with open_store(Path(sys.argv[1])) as store:
        first: dict[tuple[str, str | None], CandidateRow] = {}
        for row in store.candidates(run=1, verdict="accepted"):
            first.setdefault((row.label, row.domain), row)
        _draw(store, first).quantize(256).save(PICTURE, optimize=True)


def _draw(store: Store, found: dict[tuple[str, str | None], CandidateRow]) -> Image.Image:
    labels = list(dict.fromkeys(label for label, _ in found))
    domains = list(dict.fromkeys(domain or "" for _, domain in found))
    step, font = SIDE_PX + GAP_PX, ImageFont.load_default(13)
    size = (LEFT_PX + step * len(domains), HEAD_PX + step * len(labels))
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for column, domain in enumerate(domains):
        draw.text((LEFT_PX + column * step, 3), domain, fill="black", font=font)
    for line, label in enumerate(labels):
        draw.text((2, HEAD_PX + line * step + SIDE_PX // 2), label, fill="black", font=font)
        for column, domain in enumerate(domains):
            if row := found.get((label, domain)):
                image = Image.fromarray(store.pixels(row)).resize((SIDE_PX, SIDE_PX))
                sheet.paste(image, (LEFT_PX + column * step, HEAD_PX + line * step))
    return sheet


if __name__ == "__main__":
    main()
