"""Reads structure out of a language model's text: strictly first, then mended, never guessed."""

import ast
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from chatgenimage.workers.errors import AnswerRefused

FENCE = re.compile(r"```[\w-]*[ \t]*\n?(.*?)(?:```|\Z)", re.DOTALL)
TRAILING_COMMA = re.compile(r",(\s*[}\]])")
OPENING = re.compile(r"[{\[]")
QUOTES = "\"'`\u201c\u2018"
CLOSING_QUOTES = {"\u201c": "\u201d", "\u2018": "\u2019"}
LEFTOVERS = " \t\r\n,;{}()"


def read_structure(text: str) -> Any:  # noqa: ANN401 (whatever the model wrote)
    """Return the lists and mappings that the text holds as JSON or Python literals, or None.

    Mends code fences, words around the structure, trailing commas and single quotes.
    """
    body = unfence(text)
    opening = OPENING.search(body)
    end = max(body.rfind("}"), body.rfind("]")) + 1
    inner = body[opening.start() : end] if opening else ""
    for candidate in (body, inner):
        for read, mended in (
            (json.loads, candidate),
            (json.loads, TRAILING_COMMA.sub(r"\1", candidate)),
            (ast.literal_eval, candidate),
        ):
            try:
                structure = read(mended)
            except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
                continue
            if isinstance(structure, list | tuple | dict):
                return structure
    return None


def read_records(text: str, keys: Sequence[str]) -> list[dict[str, Any]]:
    """Return the records with these keys, in order: one mapping each, values as they were written.

    Reads JSON, Python literals, and the paper's loose "'key': value, 'key': value" without braces.

    Raises:
        AnswerRefused: If no record can be made out, or one was cut short.
    """
    records = _records_in(read_structure(text), keys)
    return records if records is not None else _scan(unfence(text), keys)


def read_strings(text: str) -> list[str] | None:
    """Return the strings of a list, or None if there is no list.

    A mapping with a single key stands for its value: {"prompts": [...]}, [{"prompt": "..."}].

    Raises:
        AnswerRefused: If the text began as JSON and cannot be read.
    """
    structure = read_structure(text)
    items = _only_value(structure)
    if isinstance(items, list | tuple):
        strings = [_only_value(item) for item in items]
        if all(isinstance(string, str) for string in strings):
            return strings
    if unfence(text).startswith(("{", "[")):
        raise AnswerRefused("the answer is broken JSON")
    return None


def unfence(text: str) -> str:
    """Return what stands in the first code fence, or the whole text without outer blanks."""
    fence = FENCE.search(text)
    return (fence[1] if fence else text).strip()


def _only_value(structure: Any) -> Any:  # noqa: ANN401 (whatever the model wrote)
    if isinstance(structure, Mapping) and len(structure) == 1:
        return next(iter(structure.values()))
    return structure


def _records_in(structure: object, keys: Sequence[str]) -> list[dict[str, Any]] | None:
    if isinstance(structure, Mapping):
        record = {str(key).strip().lower(): value for key, value in structure.items()}
        if any(key in record for key in keys):
            return _unzip(record, keys)
        values = list(record.values())
        return _records_in(values[0] if len(values) == 1 else values, keys)
    if not isinstance(structure, list | tuple):
        return None
    parts = [_records_in(item, keys) for item in structure if isinstance(item, Mapping)]
    if len(parts) < len(structure) or None in parts:
        return None
    return [record for part in parts for record in part or ()]


def _unzip(record: dict[str, Any], keys: Sequence[str]) -> list[dict[str, Any]]:
    """Return one record per scene where the answer is one mapping of parallel lists."""
    columns = [record.get(key) for key in keys]
    lengths = {len(column) for column in columns if isinstance(column, list | tuple)}
    are_parallel = all(isinstance(column, list | tuple) for column in columns)
    if not are_parallel or len(lengths) != 1 or not _is_nested(columns):
        return [record]
    return [dict(zip(keys, row, strict=True)) for row in zip(*columns, strict=True)]


def _is_nested(columns: Sequence[Any]) -> bool:
    return any(isinstance(item, list | tuple) for column in columns for item in column)


def _scan(text: str, keys: Sequence[str]) -> list[dict[str, Any]]:
    key_pattern = re.compile(rf"[\"'`*]*\b({'|'.join(keys)})\b[\"'`*]*\s*[:;=]\s*", re.IGNORECASE)
    matches = list(key_pattern.finditer(text))
    if not matches:
        raise AnswerRefused(f"the answer holds no {', '.join(keys)}")
    ends = [match.start() for match in matches[1:]] + [len(text)]
    records: list[dict[str, Any]] = []
    for match, end in zip(matches, ends, strict=True):
        key = match[1].lower()
        if not records or key in records[-1]:
            records.append({})
        records[-1][key] = _value(text[match.end() : end].strip(LEFTOVERS), key)
    return records


def _value(text: str, key: str) -> object:
    if text.startswith("["):
        end = text.rfind("]")
        if end < 0:
            raise AnswerRefused(f"the answer is cut short in {key!r}")
        return _list(text[: end + 1])
    if text[:1] and text[0] in QUOTES:
        end = text.rfind(CLOSING_QUOTES.get(text[0], text[0]))
        if end <= 0:
            raise AnswerRefused(f"the answer is cut short in {key!r}")
        return text[1:end]
    return text.split("\n", maxsplit=1)[0].strip(LEFTOVERS)


def _list(text: str) -> list[Any]:
    structure = read_structure(text)
    if isinstance(structure, list | tuple):
        return list(structure)
    parts = (part.strip(LEFTOVERS + QUOTES) for part in text.strip("[]").split(","))
    return [part for part in parts if part]
