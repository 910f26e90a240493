"""Dialects: the parameters and roles that a language model's server understands."""

import json
import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from chatgenimage.workers.llm.schemas import Schema, without_text_lengths
from chatgenimage.workers.llm.templates import Message

SCHEMA, OBJECT, TEXT = ("json_schema", "json_object", "text")
"""How answers are asked for, from the strictest to none: Table 1's own loose format."""
NO_SYSTEM_ROLE = re.compile(
    r"system.{0,20}(?:role|message|prompt|instruction)|role.{0,40}system"
    r"|developer instruction|roles must alternate",
    re.IGNORECASE | re.DOTALL,
)
NO_SEED = re.compile(r"\bseed\b", re.IGNORECASE)
UNKNOWN_PARAMETER = re.compile(r"unrecogni[sz]ed|unknown|unexpected|extra", re.IGNORECASE)
FORM_HINT = " Answer with JSON alone, in this form: {form}"


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a server understands; the default is all that OpenAI's does.

    Attributes:
        form: How the form of answers is asked for: "json_schema", "json_object" or "text".
        text_lengths: Whether a schema may limit the length of texts.
        temperature: Whether the parameter is known.
        seed: Whether the parameter is known.
        system_role: Whether a conversation may begin with a system message.
        token_limit: The name of the parameter that limits the answer.
    """

    form: str = SCHEMA
    text_lengths: bool = True
    temperature: bool = True
    seed: bool = True
    system_role: bool = True
    token_limit: str = "max_tokens"  # noqa: S105 (the name of a parameter)

    def options(
        self, schema: Schema | None, *, temperature: float, max_tokens: int, seed: int
    ) -> dict[str, Any]:
        """Return the parameters of a request besides its model and messages."""
        options: dict[str, Any] = {self.token_limit: max_tokens}
        if self.temperature:
            options["temperature"] = temperature
        if self.seed:
            options["seed"] = seed
        if schema is None:
            return options
        if self.form == SCHEMA:
            known = schema if self.text_lengths else without_text_lengths(schema)
            options["response_format"] = {"type": SCHEMA, "json_schema": known}
        elif self.form == OBJECT:
            options["response_format"] = {"type": OBJECT}
        return options

    def messages(self, messages: Sequence[Message], schema: Schema | None) -> tuple[Message, ...]:
        """Return a conversation as the server takes it.

        Without a system role its text is put before the first question. Servers that know only
        `json_object` want the word JSON and an example of the form in the question.
        """
        spoken = list(messages)
        if not self.system_role:
            system = [message["content"] for message in spoken if message["role"] == "system"]
            spoken = [message for message in spoken if message["role"] != "system"]
            if system and spoken:
                first = "\n\n".join([*system, spoken[0]["content"]])
                spoken[0] = {**spoken[0], "content": first}
        if self.form == OBJECT and spoken and schema:
            hint = FORM_HINT.format(form=json.dumps(_example(schema["schema"])))
            spoken[-1] = {**spoken[-1], "content": spoken[-1]["content"] + hint}
        return tuple(spoken)

    def without_what_is_named(self, refusal: str) -> "Dialect":
        """Return a dialect without what a refusal names, or the same one if it names nothing."""
        if "max_completion_tokens" in refusal and self.token_limit == "max_tokens":  # noqa: S105
            return replace(self, token_limit="max_completion_tokens")  # noqa: S106
        if "temperature" in refusal and self.temperature:
            return replace(self, temperature=False)
        if "maxLength" in refusal and self.text_lengths:
            return replace(self, text_lengths=False)
        if NO_SEED.search(refusal) and self.seed:
            return replace(self, seed=False)
        if NO_SYSTEM_ROLE.search(refusal) and self.system_role:
            return replace(self, system_role=False)
        return self

    def simpler(self, refusal: str) -> "Dialect":
        """Return a dialect without what was refused, or the same one if nothing is left to drop."""
        named = self.without_what_is_named(refusal)
        if named != self or self.form == TEXT:
            return named
        is_unknown = "response_format" in refusal and UNKNOWN_PARAMETER.search(refusal)
        if self.form == SCHEMA and not is_unknown:
            return replace(self, form=OBJECT)
        return replace(self, form=TEXT)

    def after_fault(self, fault: str) -> "Dialect":
        """Return what to try once where the server itself fails at a request with a schema."""
        named = self.without_what_is_named(fault)
        return named if named != self else replace(self, form=TEXT)


def show_images(messages: Sequence[Message], images: Sequence[bytes]) -> list[dict[str, Any]]:
    """Return a conversation whose first question shows the images, as data URLs of PNG files."""
    shown: list[dict[str, Any]] = [dict(message) for message in messages]
    question = next((message for message in shown if message["role"] == "user"), None)
    if images and question:
        urls = [f"data:image/png;base64,{b64encode(image).decode()}" for image in images]
        parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        question["content"] = [*parts, {"type": "text", "text": question["content"]}]
    return shown


def _example(schema: Schema) -> Any:  # noqa: ANN401 (any JSON value)
    """Return a value of the schema's form."""
    match schema.get("type"):
        case "object":
            return {name: _example(value) for name, value in schema["properties"].items()}
        case "array":
            count = schema.get("minItems", 1) if schema["items"]["type"] == "number" else 1
            return [_example(schema["items"])] * count
        case "number":
            return 0
        case _:
            return "..."
