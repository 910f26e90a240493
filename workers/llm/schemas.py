"""JSON schemas of the answers, in the form that OpenAI-compatible servers take.

Lists and texts have a longest length: a small model that decodes greedily would never end one. Some
servers refuse such a length for texts.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

Schema: TypeAlias = dict[str, Any]

MAX_FEATURES = 20
BOX_NUMBERS = 4
MAX_TEXT_LENGTH = 800
"""Characters; more than any of Table 1's demonstrations has."""
MAX_OBJECTS = 8
MAX_FOUND = 50
MAX_NAME_LENGTH = 60
"""Characters of an object's or a background's name."""
STRING: Schema = {"type": "string", "maxLength": MAX_TEXT_LENGTH}
NAME: Schema = {"type": "string", "maxLength": MAX_NAME_LENGTH}
NUMBER: Schema = {"type": "number"}


def features() -> Schema:
    """Return the schema of visual features."""
    return _answer("features", _list_of(STRING, 1, MAX_FEATURES))


def prompts(count: int) -> Schema:
    """Return the schema of `count` prompts."""
    return _answer("prompts", _list_of(STRING, count, count))


def scenes(count: int) -> Schema:
    """Return the schema of `count` scenes."""
    names = _list_of(NAME, 1, MAX_OBJECTS)
    scene = _object({"background": NAME, "objects": names, "description": STRING})
    return _answer("scenes", _list_of(scene, count, count))


def placements(targets: Sequence[str], count: int) -> Schema:
    """Return the schema of up to `count` placements of the targets."""
    label = STRING | {"enum": list(targets)}
    box = _list_of(NUMBER, BOX_NUMBERS, BOX_NUMBERS)
    placement = _object({"label": label, "box": box, "relationship": STRING})
    return _answer("placements", _list_of(placement, 1, count))


def found(labels: Sequence[str]) -> Schema:
    """Return the schema of the objects that are seen, at most 50; there may be none."""
    label = STRING | {"enum": list(labels)}
    box = _list_of(NUMBER, BOX_NUMBERS, BOX_NUMBERS)
    return _answer("objects", _list_of(_object({"label": label, "box": box}), 0, MAX_FOUND))


def without_text_lengths(schema: Schema) -> Schema:
    """Return a schema without the lengths of texts."""
    return {
        key: without_text_lengths(value) if isinstance(value, dict) else value
        for key, value in schema.items()
        if key != "maxLength"
    }


def _answer(name: str, value: Schema) -> Schema:
    return {"name": name, "strict": True, "schema": _object({name: value})}


def _list_of(item: Schema, least: int, most: int) -> Schema:
    return {"type": "array", "items": item, "minItems": least, "maxItems": most}


def _object(properties: dict[str, Schema]) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
