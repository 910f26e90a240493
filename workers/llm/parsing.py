"""Parsers of a model's answers: the loop's four questions, and objects that it sees.

Each returns values, or raises AnswerRefused with a reason for the model. Of several
prompts, scenes or placements those that can be used are kept; the caller asks for the rest.
"""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from chatgenimage.workers.errors import AnswerRefused
from chatgenimage.workers.llm.repair import read_records, read_strings, unfence
from chatgenimage.workers.llm.schemas import BOX_NUMBERS, MAX_FEATURES
from chatgenimage.workers.llm.word_forms import mentions
from chatgenimage.workers.values import BoxXyxy, ImaginedScene, ProposedObject, T

SCENE_KEYS = ("background", "objects", "description")
PLACEMENT_KEYS = ("label", "box", "relationship")
FOUND_KEYS = ("label", "box")
MIN_FEATURES = 2
MAX_FEATURE_LENGTH = 150
MAX_BACKGROUND_LENGTH = 100
MAX_NAME_LENGTH = 100
"""Characters of an object's name; longer ones are sentences."""
MAX_NEW_OBJECTS = 20
MAX_ANSWER_LENGTH = 100_000
"""Characters of an answer; nothing longer is read."""
MAX_TEXT_LENGTH = 4000
"""Characters of a prompt, a description or a relationship."""
MIN_PROMPT_WORDS = 3
MIN_COMMAS = 2

APOLOGY = re.compile(
    r"\W*(?:i['\u2019]?m sorry|i am sorry|sorry|i can['\u2019]?t|i cannot|as an ai)", re.IGNORECASE
)
PREAMBLE = re.compile(r"\A(?:sure|certainly|of course|here (?:are|is))\b[^:\n]*:\s*", re.IGNORECASE)
NUMBER = re.compile(r"^[ \t]*(?:\*\*)?(?:prompt\s*)?\d+[.):][ \t]*", re.IGNORECASE | re.MULTILINE)
BULLET = re.compile(r"^[ \t]*[-*\u2022\u2013][ \t]+", re.MULTILINE)
PHRASE_BREAK = re.compile(r"\n|;|\s[-\u2022\u2013]\s")
DECORATION = " \t\r\n\"'`*"
Read = TypeVar("Read")

FLOAT = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", re.IGNORECASE)


def parse_features(text: str) -> tuple[str, ...]:
    """Return the phrases of a list in JSON, lines, bullets, or between semicolons or commas."""
    _refuse_no_answer(text)
    phrases = read_strings(text, "features")
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


def parse_prompts(
    text: str, label: str, count: int, most_words: int | None = None
) -> tuple[str, ...]:
    """Return at most `count` prompts that all name `label`; refused if there is none.

    Args:
        text: The answer.
        label: What each prompt must name.
        count: How many prompts were asked for.
        most_words: Longest prompt, words; None: no limit.
    """
    _refuse_no_answer(text)
    prompts = read_strings(text, "prompts")
    if prompts is None:
        prompts = _paragraphs(PREAMBLE.sub("", unfence(text)), count)
    prompts = [" ".join(prompt.split()) for prompt in prompts]
    prompts = [prompt for prompt in prompts if len(prompt.split()) >= MIN_PROMPT_WORDS]

    def usable(prompt: str) -> str:
        """Return the prompt; AnswerRefused if it misses the label or is too long."""
        if not mentions(prompt, label):
            raise AnswerRefused(f"{prompt[:60]!r} does not mention {label!r}")
        if most_words is not None and (found := len(prompt.split())) > most_words:
            raise AnswerRefused(f"a prompt has {found} words, at most {most_words} are allowed")
        return _refuse_long(prompt, "a prompt")

    return _each_usable("prompts", prompts, usable, count)


def parse_scenes(text: str, existing: Sequence[str], count: int) -> tuple[ImaginedScene, ...]:
    """Return at most `count` scenes whose objects begin with the existing ones."""
    _refuse_no_answer(text)
    records = read_records(text, "scenes", SCENE_KEYS)
    return _each_usable("scenes", records, lambda record: _scene(record, existing), count)


def parse_placements(text: str, targets: Sequence[str], count: int) -> tuple[ProposedObject, ...]:
    """Return at most `count` placements of targets, boxes as written and not yet validated.

    An empty list is an answer: the model sees no place.
    """
    _refuse_no_answer(text)
    records = read_records(text, "placements", PLACEMENT_KEYS)
    if not records:
        return ()
    return _each_usable("placements", records, lambda record: _placement(record, targets), count)


def parse_found(text: str, labels: Sequence[str]) -> tuple[tuple[str, BoxXyxy], ...]:
    """Return the objects that a model saw, boxes as written and not yet validated.

    An empty list is an answer: none of the labels is there.
    """
    _refuse_no_answer(text)
    records = read_records(text, "objects", FOUND_KEYS)
    if not records:
        return ()
    return _each_usable("objects", records, lambda record: _found(record, labels), len(records))


def parse_sentence(text: str) -> str:
    """Return an answer in words: one line, without quotes around it.

    Raises:
        AnswerRefused: If it is empty or an apology.
    """
    _refuse_no_answer(text)
    return _refuse_long(" ".join(unfence(text).split()).strip("\"'`* "), "the answer")


def _each_usable(
    what: str, found: Sequence[Read], read: Callable[[Read], T], count: int
) -> tuple[T, ...]:
    """Return at most `count` of those that can be used.

    Raises:
        AnswerRefused: If none can, with the reason of the first.
    """
    usable: list[T] = []
    refusal = AnswerRefused(f"expected {count} {what}, found 0")
    for index, one in enumerate(found):
        try:
            usable.append(read(one))
        except AnswerRefused as refused:
            refusal = refused if index == 0 else refusal
    if not usable:
        raise refusal
    return tuple(usable[:count])


def _scene(record: dict[str, Any], existing: Sequence[str]) -> ImaginedScene:
    """Return the scene of a record; its objects begin with the existing ones.

    Raises:
        AnswerRefused: If a value is missing or of another kind.
    """
    background = _text(record, "background").rstrip(".")
    if len(background) > MAX_BACKGROUND_LENGTH:
        raise AnswerRefused("'background' must be a single word or phrase")
    named = record.get("objects")
    if isinstance(named, str):
        named = named.split(",")
    if not isinstance(named, list | tuple) or not all(isinstance(name, str) for name in named):
        raise AnswerRefused("'objects' must be a list of names")
    names = [name for name in _clean(named) if len(name) <= MAX_NAME_LENGTH]
    objects = {name.casefold(): name for name in (*existing, *names)}
    for name in existing:
        objects[name.casefold()] = name
    kept = tuple(objects.values())[: len(existing) + MAX_NEW_OBJECTS]
    return ImaginedScene(background, kept, _text(record, "description"))


def _placement(record: dict[str, Any], targets: Sequence[str]) -> ProposedObject:
    label = _name_among(_text(record, "label"), targets)
    return ProposedObject(
        label, _box(record.get("box")), _text(record, "relationship").rstrip(". ")
    )


def _found(record: dict[str, Any], labels: Sequence[str]) -> tuple[str, BoxXyxy]:
    return _name_among(_text(record, "label"), labels), _box(record.get("box"))


def _name_among(said: str, targets: Sequence[str]) -> str:
    """Return the target that a model's label means.

    Raises:
        AnswerRefused: If it means none.
    """
    label = next((target for target in targets if target.casefold() == said.casefold()), None)
    if label is None:
        label = next((target for target in targets if mentions(said, target)), None)
    if label is None:
        raise AnswerRefused(f"'label' {said[:50]!r} is none of: {', '.join(targets)}")
    return label


def _box(value: object) -> BoxXyxy:
    """Return a box as written, from a list of numbers or a text with numbers.

    Raises:
        AnswerRefused: If it has not exactly four finite numbers.
    """
    numbers: Sequence[object] = FLOAT.findall(value) if isinstance(value, str) else ()
    if isinstance(value, list | tuple):
        numbers = value
    try:
        x_min, y_min, x_max, y_max = (float(number) for number in numbers)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
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
    return _refuse_long(" ".join(value.strip(DECORATION).split()), repr(key))


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


def _refuse_long(text: str, what: str) -> str:
    if len(text) > MAX_TEXT_LENGTH:
        raise AnswerRefused(f"{what} has more than {MAX_TEXT_LENGTH} characters")
    return text


def _refuse_no_answer(text: str) -> None:
    if not text.strip():
        raise AnswerRefused("the answer is empty")
    if len(text) > MAX_ANSWER_LENGTH:
        raise AnswerRefused(f"the answer has more than {MAX_ANSWER_LENGTH} characters")
    if APOLOGY.match(text):
        raise AnswerRefused("the model declined")
