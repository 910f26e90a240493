"""A label reader: a TOML table for each label, with its options."""

import tomllib
from collections.abc import Iterator

from chatgenimage.factory.submission.label_files import LabelEntry


def read_toml(text: str, name: str) -> Iterator[LabelEntry]:
    """Yield the labels of a file such as `[dog]`, `per_label = 4`.

    Args:
        text: Content of the file.
        name: Its name, for messages.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        yield LabelEntry(name, None, problem=f"is not valid TOML: {error}")
        return
    for label, options in tables.items():
        where = f"{name}, [{label}]"
        if isinstance(options, dict):
            yield LabelEntry(where, label, options)
        else:
            yield LabelEntry(where, None, problem="expected a table such as [dog]")
