"""Markdown of the dataset card: rows of tables and texts that are escaped."""

import html

SHOWN_CHARACTERS = 60
ESCAPES = str.maketrans({character: f"&#{ord(character)};" for character in "|`[]*\\"})


def table_head(*names: str) -> tuple[str, str]:
    """Return the first two lines of a table."""
    return table_row(*names), "|" + "---|" * len(names)


def table_row(*values: object, most: int = SHOWN_CHARACTERS) -> str:
    """Return a line of a table; each value has at most so many characters."""
    return f"| {' | '.join(cell(str(value), most) for value in values)} |"


def cell(text: str, most: int = SHOWN_CHARACTERS) -> str:
    """Return a text in one line of at most so many characters, escaped for Markdown and HTML."""
    line = " ".join(text.split())
    if len(line) > most:
        line = line[: most - 3] + "..."
    return escape(line)


def escape(line: str) -> str:
    """Return a line escaped for Markdown and HTML."""
    return html.escape(line, quote=False).translate(ESCAPES)
