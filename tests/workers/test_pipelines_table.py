"""The table of pipeline classes and the page that shows it."""

from pathlib import Path

import pytest

from chatgenimage.workers.painters.pipelines_table import EDITING, FILLING, GENERATING

PAGE = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
ROWS = [
    *(("text_to_image", name, row) for name, row in GENERATING.items()),
    *(("inpaint", name, row) for name, row in FILLING.items() if f"| `{name}` |" in PAGE),
    *(("instruction_edit", name, row) for name, row in EDITING.items()),
]


@pytest.mark.parametrize(("family", "name", "row"), ROWS)
def test_the_page_of_models_has_each_row(family, name, row):
    guided = f"`{row.guided_by}` {row.guidance:g}"
    negative = "yes" if row.has_negative else "no"
    tokens = row.most_tokens or "chunks"
    facts = f"{guided} | {negative} | {row.side_px} | {tokens} |"
    lines = [line for line in PAGE.splitlines() if line.startswith(f"| `{family}` | `{name}` |")]
    assert len(lines) == 1
    assert facts in lines[0]


def test_each_class_that_fills_with_others_parts_has_a_row():
    fillers = {row.filler for row in (*GENERATING.values(), *EDITING.values()) if row.filler}
    assert fillers <= set(FILLING)
