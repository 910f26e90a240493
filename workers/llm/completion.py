"""Chat completions as servers send them: text, thoughts, and counts of tokens.

A server that is only compatible may leave out or change what OpenAI's documentation promises:
nothing here is taken for granted.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from chatgenimage.workers.llm.server_errors import ServerError, ServerRefused, find_error
from chatgenimage.workers.llm.text import clean, split_thoughts

MAX_MODEL_LENGTH = 200
"""Characters of a model's name that are kept."""
MOST_TOKENS = 2**31 - 1
HTTP_OK = 200
NOTHING = "no chat completion"
TEXT_PARTS = ("text", "output_text")
THOUGHT_FIELDS = ("reasoning_content", "reasoning")


@dataclass(frozen=True, slots=True)
class Completion:
    """A server's answer.

    Attributes:
        text: The answer without thoughts and without characters that cannot be stored.
        thoughts: The model's reasoning before its answer; "" if the server sent none.
        model: The model's name as the server says it, at most 200 characters; None if it does not.
        prompt_tokens: As the server counted them; None if it did not.
        completion_tokens: As the server counted them, thoughts included; None if it did not.
        problem: Why there is no text, or not the whole; None if there is.
        is_cut: Whether the limit of tokens ended the answer.
        is_filtered: Whether the server's content filter ended it.
    """

    text: str = ""
    thoughts: str = ""
    model: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    problem: str | None = None
    is_cut: bool = False
    is_filtered: bool = False


def read_completion(body: str, max_tokens: int) -> Completion:
    """Return what the body of a response with HTTP status 200 holds.

    Args:
        body: As it was received.
        max_tokens: The limit that was sent, to name it where it ended the answer.

    Raises:
        ServerRefused: If the body is an error whose kind is known (a rate limit, a bad request).
    """
    try:
        parsed = json.loads(body, strict=False)
    except (ValueError, RecursionError):
        is_json = body.lstrip().startswith("{")
        return Completion(problem=f"the server sent {'broken JSON' if is_json else NOTHING}")
    if not isinstance(parsed, Mapping):
        return Completion(problem=f"the server sent {NOTHING}")
    choice = _first(parsed.get("choices"))
    message = choice.get("message")
    sent, received = _count_tokens(parsed.get("usage"))
    counted = Completion(model=_name(parsed), prompt_tokens=sent, completion_tokens=received)
    is_empty = not isinstance(message, Mapping) or not any(_text_of(message.get("content")))
    error = find_error(parsed) if is_empty or choice.get("finish_reason") == "error" else None
    if error:
        _raise_known(error)
        return replace(counted, problem=f"the server sent an error: {clean(error.text)}")
    if not isinstance(message, Mapping):
        return replace(counted, problem=f"the server sent {NOTHING}")
    return _read_message(message, choice.get("finish_reason"), counted, max_tokens)


def _raise_known(error: ServerError) -> None:
    if error.status != HTTP_OK or error.is_spent or error.is_filtered:
        raise ServerRefused(error)


def _read_message(
    message: Mapping[str, Any], finish_reason: object, counted: Completion, max_tokens: int
) -> Completion:
    """Return the completion with text, thoughts and problem of the server's message."""
    written, parts_thoughts = _text_of(message.get("content"))
    text, tagged_thoughts = split_thoughts(clean(written))
    fields = [message.get(field) for field in THOUGHT_FIELDS]
    own_field = next((field for field in fields if isinstance(field, str) and field), "")
    thoughts = "\n".join(filter(None, [clean(own_field), clean(parts_thoughts), tagged_thoughts]))
    is_cut = finish_reason == "length"
    is_filtered = finish_reason == "content_filter"
    problem = _problem(message, text, thoughts)
    if is_filtered:
        problem = "the server's content filter stopped the answer"
    elif is_cut:
        problem = _cut_problem(text, max_tokens)
    return replace(
        counted,
        text=text,
        thoughts=thoughts,
        problem=problem,
        is_cut=is_cut,
        is_filtered=is_filtered,
    )


def _problem(message: Mapping[str, Any], text: str, thoughts: str) -> str | None:
    if refusal := message.get("refusal"):
        return f"the model declined: {clean(str(refusal))}"
    if text.strip():
        return None
    if message.get("tool_calls"):
        return "the answer is empty; the server sent a call of a tool instead"
    if thoughts:
        return f"the answer is empty; the server sent {len(thoughts)} characters of thoughts only"
    return "the answer is empty"


def _cut_problem(text: str, max_tokens: int) -> str:
    if text.strip():
        return f"the answer was cut off at max_tokens ({max_tokens})"
    return (
        f"the model used all of max_tokens ({max_tokens}) before it answered, which reasoning "
        "models do; raise `max_tokens` of the language family, or set `max_tokens_if_cut`"
    )


def _first(choices: object) -> Mapping[str, Any]:
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, Mapping) else {}


def _text_of(content: object) -> tuple[str, str]:
    """Return the text and the thoughts of a message's content: a text, or a list of parts."""
    if isinstance(content, str):
        return content, ""
    if isinstance(content, Mapping):  # some servers parse the JSON that they were asked for
        return json.dumps(content, ensure_ascii=False), ""
    if not isinstance(content, list):
        return "", ""
    texts, thoughts = [], []
    for part in content:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, Mapping) and part.get("type") in TEXT_PARTS:
            texts.append(str(part.get("text") or ""))
        elif isinstance(part, Mapping) and part.get("type") == "thinking":
            thoughts.append("".join(_text_of(part.get("thinking"))))
    return "".join(texts), "".join(thoughts)


def _name(body: Mapping[str, Any]) -> str | None:
    model = body.get("model")
    return clean(model)[:MAX_MODEL_LENGTH] or None if isinstance(model, str) else None


def _count_tokens(usage: object) -> tuple[int | None, int | None]:
    """Return the tokens sent and received; None where the server did not count.

    Some servers leave the thoughts out of `completion_tokens` though they are paid for:
    `total_tokens` has them.
    """
    if not isinstance(usage, Mapping):
        return None, None
    sent = count_of(usage.get("prompt_tokens"))
    received = count_of(usage.get("completion_tokens"))
    total = count_of(usage.get("total_tokens"))
    if sent is not None and total is not None and total - sent > (received or 0):
        received = total - sent
    return sent, received


def count_of(value: object) -> int | None:
    """Return a count of tokens as a server wrote it; None if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value <= MOST_TOKENS else None
