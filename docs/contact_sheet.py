"""Draw docs/images/contact-sheet.png from `factory run dog house --per-label 8`.

Usage: python -m docs.contact_sheet DATA_DIR
"""  # noqa: INP001  (a script, no package)

import sys
from pathlib import Path

from PIL import Image

from chatgenimage.db.queries import list_candidates
from chatgenimage.factory.query.store import open_store
from chatgenimage.factory.reports.sheet_drawing import draw_sheet

PICTURE = Path(__file__).parent / "images/contact-sheet.png"
SECTIONS = (
    (
        "Good: accepted candidates of the label house",
        "house",
        ("b0/g0/e1/f0", "b0/g7/e0/f0", "b0/g6/e0"),
    ),
    (
        "Bad: a dog with two heads that the filters accepted, and two images that they rejected",
        "dog",
        ("b0/g7/e1", "b0/g0/e1/f0", "b0/g3/e1/f0"),
    ),
)
"""Of each part its title, its label and the keys of its candidates, which the seed decides."""


def main() -> None:
    """Draw both parts, one above the other."""
    with open_store(Path(sys.argv[1])) as store:
        found = {(row.label, row.key): row.id for row in store.candidates(run=1)}
        parts = []
        for title, label, keys in SECTIONS:
            with store.sessions() as session:
                candidates = list_candidates(session, [found[label, key] for key in keys])
                parts.append(draw_sheet(store.images, candidates, title, ["dog", "house"]))
    sheet = Image.new("RGB", (parts[0].width, sum(part.height for part in parts)))
    top = 0
    for part in parts:
        sheet.paste(part, (0, top))
        top += part.height
    sheet.save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
