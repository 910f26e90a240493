"""Reads a language model's answers to the loop's four questions.

Every parser returns values or raises AnswerRefused with a reason that the model can be told.
"""

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from chatgenimage.workers.errors import AnswerRefused
from chatgenimage.workers.llm.repair import read_records, read_strings, unfence
from chatgenimage.workers.llm.schemas import BOX_NUMBERS, MAX_FEATURES
from chatgenimage.workers.values import BoxXyxy, Placement, Scene

SCENE_KEYS = ("background", "objects", "description")
PLACEMENT_KEYS = ("label", "box", "relationship")
MIN_FEATURES = 2
MAX_FEATURE_LENGTH = 150
MAX_BACKGROUND_LENGTH = 100
MIN_PROMPT_WORDS = 3
MIN_COMMAS = 2
UNINFLECTED_LETTERS = 3

APOLOGY = re.compile(
    r"\W*(?:i['\u2019]?m sorry|i am sorry|sorry|i can['\u2019]?t|i cannot|as an ai)", re.IGNORECASE
)
PREAMBLE = re.compile(r"\A(?:sure|certainly|of course|here (?:are|is))\b[^:\n]*:\s*", re.IGNORECASE)
NUMBER = re.compile(r"^[ \t]*(?:\*\*)?(?:prompt\s*)?\d+[.):][ \t]*", re.IGNORECASE | re.MULTILINE)
BULLET = re.compile(r"^[ \t]*[-*\u2022\u2013][ \t]+", re.MULTILINE)
PHRASE_BREAK = re.compile(r"\n|;|\s[-\u2022\u2013]\s")
DECORATION = " \t\r\n\"'`*"
FLOAT = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", re.IGNORECASE)


def parse_features(text: str) -> tuple[str, ...]:
    """Return the phrases of a list in JSON, lines, bullets, or between semicolons or commas."""
    _refuse_apology(text)
    phrases = read_strings(text)
    if phrases is None:
        lines = NUMBER.sub("\n", BULLET.sub("\n", PREAMBLE.sub("", unfence(text))))
        phrases = [part for part in PHRASE_BREAK.split(lines) if not part.rstrip().endswith(":")]
    phrases = _clean(phrases)
    if len(phrases) == 1 and phrases[0].count(",") >= MIN_COMMAS:
        phrases = _clean(phrases[0].removesuffix(".").split(","))
    features = [phrase for phrase in phrases if len(phrase) <= MAX_FEATURE_LENGTH]
    if len(features) < MIN_FEATURES:
        raise AnswerRefused(f"expected several short phrases, found {len(features)}")
    return tuple(features[:MAX_FEATURES])


def parse_prompts(text: str, label: str, count: int) -> tuple[str, ...]:
    """Return `count` prompts that all speak of `label`; more are cut off, fewer are refused."""
    _refuse_apology(text)
    prompts = read_strings(text)
    if prompts is None:
        prompts = _paragraphs(PREAMBLE.sub("", unfence(text)), count)
    prompts = [" ".join(prompt.split()) for prompt in prompts]
    prompts = [prompt for prompt in prompts if len(prompt.split()) >= MIN_PROMPT_WORDS]
    _refuse_fewer("prompts", len(prompts), count)
    for number, prompt in enumerate(prompts[:count], start=1):
        if not _mentions(prompt, label):
            raise AnswerRefused(f"prompt {number} does not mention {label!r}")
    return tuple(prompts[:count])


def parse_scenes(text: str, existing: Sequence[str], count: int) -> tuple[Scene, ...]:
    """Return `count` scenes whose objects begin with the existing ones."""
    _refuse_apology(text)
    records = read_records(text, SCENE_KEYS)
    _refuse_fewer("scenes", len(records), count)
    return tuple(_scene(record, existing) for record in records[:count])


def parse_placements(text: str, targets: Sequence[str], count: int) -> tuple[Placement, ...]:
    """Return at most `count` placements of targets, boxes as written and not yet validated."""
    _refuse_apology(text)
    records = read_records(text, PLACEMENT_KEYS)
    return tuple(_placement(record, targets) for record in records[:count])


def _scene(record: dict[str, Any], existing: Sequence[str]) -> Scene:
    background = _text(record, "background").rstrip(".")
    if len(background) > MAX_BACKGROUND_LENGTH:
        raise AnswerRefused("'background' must be a single word or phrase")
    named = record.get("objects")
    if isinstance(named, str):
        named = named.split(",")
    if not isinstance(named, list | tuple) or not all(isinstance(name, str) for name in named):
        raise AnswerRefused("'objects' must be a list of names")
    objects = {name.casefold(): name for name in (*existing, *_clean(named))}
    for name in existing:
        objects[name.casefold()] = name
    return Scene(background, tuple(objects.values()), _text(record, "description"))


def _placement(record: dict[str, Any], targets: Sequence[str]) -> Placement:
    said = _text(record, "label")
    label = next((target for target in targets if target.casefold() == said.casefold()), None)
    if label is None:
        raise AnswerRefused(f"'label' {said[:50]!r} is none of: {', '.join(targets)}")
    return Placement(label, _box(record.get("box")), _text(record, "relationship").rstrip(". "))


def _box(value: object) -> BoxXyxy:
    numbers: Sequence[object] = FLOAT.findall(value) if isinstance(value, str) else ()
    if isinstance(value, list | tuple):
        numbers = value
    try:
        x_min, y_min, x_max, y_max = (float(number) for number in numbers)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise AnswerRefused(f"'box' must be {BOX_NUMBERS} numbers") from None
    box_xyxy = (x_min, y_min, x_max, y_max)
    if not all(math.isfinite(number) for number in box_xyxy):
        raise AnswerRefused(f"'box' must be {BOX_NUMBERS} finite numbers")
    return box_xyxy


def _text(record: dict[str, Any], key: str) -> str:
    value = record.get(key)
    if isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    if not isinstance(value, str) or not value.strip(DECORATION):
        raise AnswerRefused(f"{key!r} must be one text")
    return " ".join(value.strip(DECORATION).split())


def _paragraphs(text: str, count: int) -> list[str]:
    """Return the prompts of a numbered list, a bulleted list, or paragraphs."""
    for mark in (NUMBER, BULLET):
        if mark.search(text):
            return [part.strip(DECORATION) for part in mark.split(text)[1:]]
    if count == 1:
        return [text.strip(DECORATION)]
    parts = text.split("\n\n") if "\n\n" in text else text.split("\n")
    return [part.strip(DECORATION) for part in parts]


def _clean(phrases: Iterable[str]) -> list[str]:
    """Return the phrases without decoration, blanks, and repetitions."""
    unique: dict[str, str] = {}
    for phrase in phrases:
        stripped = " ".join(phrase.split()).strip(DECORATION)
        unique.setdefault(stripped.casefold(), stripped)
    unique.pop("", None)
    return list(unique.values())


def _mentions(prompt: str, label: str) -> bool:
    """Return whether a word of the label is in the prompt, be it inflected at its end."""
    stems = [word[: max(len(word) - 2, UNINFLECTED_LETTERS)] for word in label.casefold().split()]
    return any(stem in prompt.casefold() for stem in stems)


def _refuse_fewer(what: str, found: int, count: int) -> None:
    if found < count:
        raise AnswerRefused(f"expected {count} {what}, found {found}")


def _refuse_apology(text: str) -> None:
    if not text.strip():
        raise AnswerRefused("the answer is empty")
    if APOLOGY.match(text):
        raise AnswerRefused("the model declined")
