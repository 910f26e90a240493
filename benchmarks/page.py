"""Page docs/benchmarks.md: every benchmark writes its own sections."""

import os
import platform
import re
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"


def put_section(title: str, command: str, text: str) -> None:
    """Write a section in place of the earlier one with this title, or at the end."""
    head, *sections = re.split(r"^(?=## )", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    heading = f"## {title}\n"
    written = f"{heading}\nBy `{command}` on {machine()}.\n\n{text.strip()}\n\n"
    kept = [written if each.startswith(heading) else each for each in sections]
    if written not in kept:
        kept[-1:] = [f"{kept[-1].rstrip()}\n\n", written]
    PAGE.write_text("".join([head, *kept]).rstrip() + "\n", encoding="utf-8")


def to_table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [f"| {' | '.join(map(str, row))} |" for row in (heads, *rows)]
    return "\n".join([lines[0], "|---" * len(heads) + "|", *lines[1:]])


def machine() -> str:
    """Return a line with machine, date and load."""
    load = os.getloadavg()[0]
    return (
        f"{time.strftime('%Y-%m-%d')}: {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores,\nload average {load:.1f}, Python {platform.python_version()}, "
        f"Celery {version('celery')}"
    )
