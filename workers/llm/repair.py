"""Structure in a language model's text: read strictly first, then mended, never guessed."""

import ast
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from chatgenimage.workers.errors import AnswerRefused
from chatgenimage.workers.llm.text import clean_all

FENCE = re.compile(r"```[\w-]*[ \t]*\n?(.*?)(?:```|\Z)", re.DOTALL)
STRING = r'("(?:\\.|[^"\\])*+(?:"|\Z))'
COMMENT = re.compile(STRING + r"|//[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
TRAILING_COMMA = re.compile(STRING + r"|,(?=\s*[}\]])", re.DOTALL)
STRAIGHT = str.maketrans({"\u201c": '"', "\u201d": '"', "\u201e": '"', "\u201f": '"'})
OPENING = re.compile(r"[{\[]")
QUOTES = "\"'`\u201c\u2018"
CLOSING_QUOTES = {"\u201c": "\u201d", "\u2018": "\u2019"}
BETWEEN = re.compile(r"\A[\s,;]+")
LEFTOVERS = " \t\r\n,;{}()"


def read_structure(text: str) -> Any:  # noqa: ANN401 (whatever the model wrote)
    """Return the lists and mappings that the text holds as JSON or Python literals, or None.

    Mends code fences, words around the structure, comments, trailing commas, curly and single
    quotes, and line breaks within texts. Objects that follow one another are a list. Every text is
    without characters that cannot be stored.
    """
    body = unfence(text)
    opening = OPENING.search(body)
    end = max(body.rfind("}"), body.rfind("]")) + 1
    inner = body[opening.start() : end] if opening else ""
    for candidate in (body, inner):
        straight = _without_comments(candidate.translate(STRAIGHT))
        for read, mended in (
            (_loads, candidate),
            (_loads, _without_comments(candidate)),
            (ast.literal_eval, candidate),
            (_loads, straight),
            (_load_each, straight),
        ):
            try:
                structure = clean_all(read(mended))
            except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
                continue
            if isinstance(structure, list | dict):
                return structure
    return None


def read_records(text: str, name: str, keys: Sequence[str]) -> list[dict[str, Any]]:
    """Return the records with these keys, in order: one mapping each, values as they were written.

    Reads JSON, Python literals, and the paper's loose "'key': value, 'key': value" without braces,
    which is scanned for only where there is no structure that can be read.

    Args:
        text: The answer.
        name: The key that the list of records was asked for under; other keys are left out.
        keys: Of a record.

    Raises:
        AnswerRefused: If no record can be made out, or one was cut short.
    """
    structure = read_structure(text)
    records = _records_in(structure, name, keys)
    if records is not None:
        return records
    if _holds_mappings(structure):
        raise AnswerRefused(f"the answer has no list {name!r} of objects with {', '.join(keys)}")
    return _scan(unfence(text), keys)


def read_strings(text: str, name: str) -> list[str] | None:
    """Return the strings of a list, or None if there is no list.

    A mapping is replaced by the value of its key `name`, or of its only key: {"prompts": [...]},
    [{"prompt": "..."}]. Other keys are left out.

    Raises:
        AnswerRefused: If the text is JSON without such a list, or began as JSON and cannot be read.
    """
    structure = read_structure(text)
    items = _value_of(structure, name)
    if isinstance(items, list):
        strings = [_value_of(item, name.removesuffix("s")) for item in items]
        if all(isinstance(string, str) for string in strings):
            return strings
    if isinstance(structure, Mapping) or _holds_mappings(structure):
        raise AnswerRefused(f"the answer has no list {name!r} of texts")
    if unfence(text).startswith(("{", "[")):
        raise AnswerRefused("the answer is broken JSON")
    return None


def unfence(text: str) -> str:
    """Return the text in the first code fence, or the whole text without outer blanks."""
    fence = FENCE.search(text)
    return (fence[1] if fence else text).strip()


def _loads(text: str) -> Any:  # noqa: ANN401 (whatever the model wrote)
    return json.loads(text, strict=False)  # a raw line break within a text is let through


def _load_each(text: str) -> list[Any]:
    """Return the JSON objects that follow one another, each on its line or behind a comma."""
    decoder = json.JSONDecoder(strict=False)
    found: list[Any] = []
    rest = text
    while rest or not found:
        if not rest.startswith("{"):
            raise ValueError(rest)
        value, length = decoder.raw_decode(rest)
        found.append(value)
        rest = BETWEEN.sub("", rest[length:])
    return found


def _without_comments(text: str) -> str:
    """Return JSON without comments and trailing commas; texts in double quotes stay."""
    uncommented = COMMENT.sub(lambda match: match[1] or "", text)
    return TRAILING_COMMA.sub(lambda match: match[1] or "", uncommented)


def _value_of(structure: Any, name: str) -> Any:  # noqa: ANN401 (whatever the model wrote)
    """Return the value of a key, whatever its case, or of the only key."""
    if not isinstance(structure, Mapping):
        return structure
    for key, value in structure.items():
        if str(key).strip().lower() == name:
            return value
    return next(iter(structure.values())) if len(structure) == 1 else structure


def _holds_mappings(structure: object) -> bool:
    items = structure if isinstance(structure, list) else [structure]
    return any(isinstance(item, Mapping) for item in items)


def _records_in(structure: object, name: str, keys: Sequence[str]) -> list[dict[str, Any]] | None:
    """Return the records in a structure, or None if it holds something else."""
    if isinstance(structure, Mapping):
        record = {str(key).strip().lower(): value for key, value in structure.items()}
        if any(key in record for key in keys):
            return _unzip(record, keys)
        nested = [value for value in record.values() if isinstance(value, Mapping | list)]
        if name in record or len(nested) == 1:
            return _records_in(record[name] if name in record else nested[0], name, keys)
        return _records_in(nested, name, keys) if nested else None
    if not isinstance(structure, list):
        return None
    parts = [_records_in(item, name, keys) for item in structure if isinstance(item, Mapping)]
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
    """Return the records in a text that is not JSON: each begins where a key comes again.

    Raises:
        AnswerRefused: If no key is there, or a value is cut short.
    """
    quotes = "[\"'`*]{0,3}"
    name = rf"{quotes}\b({'|'.join(keys)})\b{quotes}\s*[:;=]\s*"
    key_pattern = re.compile(name, re.IGNORECASE)
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
    """Return the value that begins a text: a list, a quoted text, or the rest of its line."""
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
