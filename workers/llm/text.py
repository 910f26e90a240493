"""Text from a language model: characters that cannot be stored, and thoughts before the answer."""

import re
from typing import Any

UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters (a terminal would obey some of them) and halves of surrogate pairs."""
THOUGHT_TAG = r"(?:think(?:ing)?|thoughts?|reasoning|seed:think)"
THOUGHT_MARK = re.compile(
    rf"<(?P<close>/)?{THOUGHT_TAG}>|\[(?P<close_square>/)?THINK\]|\u25c1(?P<close_kimi>/)?think\u25b7",
    re.IGNORECASE,
)
HARMONY_CHANNEL = "<|channel|>"
HARMONY_FINAL = re.compile(r"<\|channel\|>final\b[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>")
HARMONY_END = re.compile(r"<\|(?:return|end|start|call)\|>")


def clean(text: str) -> str:
    """Return the text without characters that a database or a terminal cannot take.

    Line breaks and tabs stay; the zero character, other control characters and lone halves of
    surrogate pairs do not.
    """
    return UNSTORABLE.sub("", text)


def clean_all(value: Any) -> Any:  # noqa: ANN401 (any JSON value)
    """Return a JSON value with every text in it cleaned, keys included."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean_all(key): clean_all(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean_all(item) for item in value]
    return value


def split_thoughts(text: str) -> tuple[str, str]:
    """Return the answer, and the thoughts that the model wrote before or between it.

    Thoughts are between `<think>` and `</think>` (other names and brackets are known too); before
    a closing tag without an opening one; after an opening tag that is never closed; and in all
    channels but the final one of gpt-oss's harmony format.
    """
    if HARMONY_CHANNEL in text:
        return _split_harmony(text)
    answer: list[str] = []
    thoughts: list[str] = []
    position, is_thinking = 0, False
    for mark in THOUGHT_MARK.finditer(text):
        piece = text[position : mark.start()]
        is_closing = mark.lastgroup is not None
        if is_closing and not is_thinking:  # the chat template wrote the opening tag
            thoughts += [*answer, piece]
            answer = []
        else:
            (thoughts if is_thinking else answer).append(piece)
        is_thinking, position = not is_closing, mark.end()
    (thoughts if is_thinking else answer).append(text[position:])
    return "".join(answer).strip(), "".join(thoughts).strip()


def _split_harmony(text: str) -> tuple[str, str]:
    finals = list(HARMONY_FINAL.finditer(text))
    if not finals:
        return "", text.strip()
    start = finals[-1]
    answer = HARMONY_END.split(text[start.end() :], maxsplit=1)[0]
    return answer.strip(), text[: start.start()].strip()
