"""The JSON schemas of the four answers, as an OpenAI-compatible server takes them."""

from typing import Any, TypeAlias

Schema: TypeAlias = dict[str, Any]

STRING: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}


def _list_of(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def _object(properties: dict[str, Schema]) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _answer(name: str, item: Schema) -> Schema:
    return {"name": name, "strict": True, "schema": _object({name: _list_of(item)})}


FEATURES = _answer("features", STRING)
PROMPTS = _answer("prompts", STRING)
SCENES = _answer(
    "scenes",
    _object({"background": STRING, "objects": _list_of(STRING), "description": STRING}),
)
PLACEMENTS = _answer(
    "placements", _object({"label": STRING, "box": _list_of(NUMBER), "relationship": STRING})
)
