"""Offline language model: a small rule book that answers the loop's four questions.

It uses only the grammar of `workers.llm.rulebook`, because the micro checkpoints were trained on
nothing else. Every choice is drawn from the seed: the same question has the same answer.
"""

import hashlib
import json
import random
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, Self

from pydantic import ValidationError

from chatgenimage.workers.config import RulesConfig
from chatgenimage.workers.errors import CheckpointBroken, CheckpointNotFound, UnknownWord
from chatgenimage.workers.llm.free_box import find_free_box
from chatgenimage.workers.llm.rulebook import (
    FILE_NAME,
    BackgroundRule,
    RuleBook,
    describe,
    describe_beside,
    describe_close_up,
    describe_with_feature,
)
from chatgenimage.workers.values import (
    Answer,
    Detection,
    Exchange,
    ImaginedScene,
    ModelIdentity,
    ProposedObject,
    T,
)
from chatgenimage.workers.weights.local_files import local_path

NEW_OBJECTS_PER_SCENE = 5
NOUNS_PER_SENTENCE = 3
COMPANION_WEIGHTS = (5, 4, 1)
"""Odds that a prompt names none, one or two other objects: a small model cannot paint more."""
FEATURE_SHARE = 0.3
BESIDE_SHARE = 0.2
ATTEMPTS_PER_PROMPT = 50
OTHER_PROFILE = "a profile whose language model is an OpenAI-compatible endpoint"


class Rules:
    """Family `rules`: satisfies LanguageModel for the words of its book."""

    concurrency = 1
    """Threads would not make it faster: it computes, and waits for no server."""

    def __init__(self, book: RuleBook, identity: ModelIdentity) -> None:
        self._book = book
        self.identity = identity

    @classmethod
    def load(cls, config: RulesConfig) -> Self:
        """Return the rule book of the folder that `config.checkpoint` names.

        Raises:
            CheckpointNotFound: If there is no rule book.
            CheckpointBroken: If it cannot be read.
        """
        folder = local_path(config.checkpoint)
        path = folder / FILE_NAME
        if not path.is_file():
            raise CheckpointNotFound(
                f"no rule book at {path}: expected a folder with {FILE_NAME}; "
                "set `checkpoint` of the rules family, e.g. to bundled:micro/rules."
            )
        try:
            book = RuleBook.load(folder)
        except (ValidationError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise CheckpointBroken(f"the rule book {path} cannot be read: {reason}.") from error
        revision = hashlib.sha256(path.read_bytes()).hexdigest()
        return cls(book, ModelIdentity("rules", config.checkpoint, revision))

    def describe_features(self, label: str, *, seed: int) -> Answer[tuple[str, ...]]:
        """Return the book's visual features of `label`."""
        features = self._book.objects[self._word(label)].features
        return _answer("features", {"label": label, "seed": seed}, features, list(features))

    @property
    def words(self) -> list[str]:
        """Return the objects that the book knows, sorted."""
        return sorted(self._book.objects)

    def write_prompts(  # noqa: PLR0913 (the question has that many parts)
        self,
        label: str,
        features: Sequence[str],
        count: int,
        *,
        mode: str,
        variation: int = 0,  # noqa: ARG002 (every batch has another seed)
        domain: str | None = None,
        avoid: Sequence[str] = (),
        seed: int,
    ) -> Answer[tuple[str, ...]]:
        """Return `count` prompts on varied backgrounds, different while the grammar has more.

        With a domain the background is always the domain's.
        """
        noun = self._word(label)
        rng = _rng("prompts", seed, noun, mode)
        known = self._book.objects[noun].features
        usable = [feature for feature in features if feature in known] or list(known)
        write = self._write_object if mode == "object" else self._write_scene
        places = _shuffled(rng, [rule.place for rule in self._backgrounds(domain)])
        prompts: list[str] = []
        for index in range(count):
            turn, position = divmod(len(avoid) + index, len(places))
            another = partial(write, rng, noun, usable, places[position], turn)
            prompts.append(_unlike({*avoid, *prompts}, another))
        asked = {"label": label, "features": list(features), "count": count, "mode": mode}
        asked |= {"domain": domain, "seed": seed}
        return _answer("prompts", asked, tuple(prompts), prompts)

    def imagine_scenes(  # noqa: PLR0913 (the question has that many parts)
        self,
        caption: str,
        objects: Sequence[str],
        count: int,
        *,
        domain: str | None = None,
        avoid: Sequence[str] = (),  # noqa: ARG002 (always as many as were asked for)
        seed: int,
    ) -> Answer[tuple[ImaginedScene, ...]]:
        """Return `count` scenes around the existing objects, on backgrounds the caption lacks.

        The description names at most two existing objects and the first new one: longer sentences
        are not in the micro checkpoints' training text. With a domain the background is always
        the domain's, even if the caption has it.
        """
        existing = self._words(objects)
        rng = _rng("scenes", seed, caption, *existing)
        current = self._book.backgrounds.get(self._book.background_in(caption) or "")
        found = self._backgrounds(domain)
        backgrounds = _shuffled(rng, [one for one in found if one is not current] or found)
        scenes = []
        for index in range(count):
            new = self._companions(rng, existing, NEW_OBJECTS_PER_SCENE)
            background = backgrounds[index % len(backgrounds)]
            nouns = [*existing[: NOUNS_PER_SENTENCE - 1], *new[:1]]
            description = describe(nouns, background.place)
            scenes.append(ImaginedScene(background.noun, (*existing, *new), description))
        asked = {"caption": caption, "objects": list(objects), "count": count}
        asked |= {"domain": domain, "seed": seed}
        return _answer("scenes", asked, tuple(scenes), [asdict(scene) for scene in scenes])

    def place_objects(  # noqa: PLR0913 (the question has that many parts)
        self,
        caption: str,
        existing: Sequence[Detection],
        targets: Sequence[str],
        count: int,
        *,
        size_wh: tuple[int, int],
        seed: int,
    ) -> Answer[tuple[ProposedObject, ...]]:
        """Return up to `count` placements that obey Table 1's rules; fewer if there is no room.

        Targets are taken in their order, those that the image already shows last; targets that
        the book does not know are left out.
        """
        rng = _rng("placements", seed, caption, *targets)
        shown = [detection.label.casefold() for detection in existing]
        labels = sorted(self._known(targets), key=lambda label: label in shown)
        if targets and not labels:
            raise UnknownWord(self._unknown(targets))
        relationship = self._relationship(rng, caption, shown)
        taken = [detection.box_xyxy for detection in existing]
        placements: list[ProposedObject] = []
        for index in range(count if labels else 0):
            label = labels[index % len(labels)]
            box_xyxy = find_free_box(rng, taken, size_wh, self._book.objects[label].aspect)
            if box_xyxy is None:
                break
            taken.append(box_xyxy)
            placements.append(ProposedObject(label, box_xyxy, relationship))
        asked = {
            "caption": caption,
            "existing": [[item.label, item.confidence, item.box_xyxy] for item in existing],
            "targets": list(targets),
            "count": count,
            "size_wh": size_wh,
            "seed": seed,
        }
        answer = [[item.label, item.box_xyxy, item.relationship] for item in placements]
        return _answer("placements", asked, tuple(placements), answer)

    def place_of(self, domain: str) -> str:
        """Return a domain as the book says it: "on a snowy field" for "in snow".

        Raises:
            UnknownWord: If no background of the book is meant.
        """
        (rule,) = self._backgrounds(domain)
        return rule.place

    def _backgrounds(self, domain: str | None) -> list[BackgroundRule]:
        """Return the background of a domain; without one, all backgrounds."""
        if domain is None:
            return list(self._book.backgrounds.values())
        if name := self._book.background_for(domain):
            return [self._book.backgrounds[name]]
        known = ", ".join(rule.place for rule in self._book.backgrounds.values())
        raise UnknownWord(
            f"the rule book does not know the domain {domain!r}; it knows: {known}. "
            f"Choose one of these, or {OTHER_PROFILE}."
        )

    def _word(self, label: str) -> str:
        word = label.casefold()
        if word not in self._book.objects:
            raise UnknownWord(self._unknown([label]))
        return word

    def _words(self, labels: Iterable[str]) -> list[str]:
        return list(dict.fromkeys(self._word(label) for label in labels))

    def _known(self, labels: Iterable[str]) -> list[str]:
        words = dict.fromkeys(label.casefold() for label in labels)
        return [word for word in words if word in self._book.objects]

    def _unknown(self, labels: Sequence[str]) -> str:
        return (
            f"the rule book does not know {', '.join(repr(label) for label in labels)}; "
            f"it knows: {', '.join(sorted(self._book.objects))}. "
            f"Choose one of these, or {OTHER_PROFILE}."
        )

    def _companions(self, rng: random.Random, nouns: Sequence[str], count: int) -> list[str]:
        others = [name for name in self._book.objects if name not in nouns]
        return rng.sample(others, min(count, len(others)))

    def _write_object(
        self, rng: random.Random, noun: str, features: list[str], place: str, turn: int
    ) -> str:
        """Return a close-up; when every background had one, the object with a feature."""
        if turn == 0:
            return describe_close_up(noun, place)
        return describe_with_feature(noun, rng.choice(features), place)

    def _write_scene(
        self, rng: random.Random, noun: str, features: list[str], place: str, _turn: int
    ) -> str:
        count = rng.choices(range(len(COMPANION_WEIGHTS)), COMPANION_WEIGHTS)[0]
        companions = self._companions(rng, [noun], count)
        if not companions and rng.random() < FEATURE_SHARE:
            return describe_with_feature(noun, rng.choice(features), place)
        if companions and rng.random() < BESIDE_SHARE:
            return describe_beside(noun, companions, place)
        return describe([noun, *companions], place)

    def _relationship(self, rng: random.Random, caption: str, shown: Sequence[str]) -> str:
        """Return what follows "a {label}": the tail of the grammar's sentence with neighbours."""
        background = self._book.background_in(caption) or rng.choice(list(self._book.backgrounds))
        place = self._book.backgrounds[background].place
        neighbours = self._known(shown)[: NOUNS_PER_SENTENCE - 1]
        if not neighbours:
            return place
        return describe_beside("x", neighbours, place).removeprefix("a x ")


def _rng(*key: object) -> random.Random:
    return random.Random(json.dumps(key))  # noqa: S311 (repeatable, not secret)


def _shuffled(rng: random.Random, items: Sequence[Any]) -> list[Any]:
    return rng.sample(items, len(items))


def _unlike(written: Collection[str], write: Callable[[], str]) -> str:
    """Return a text that was not written before, or the last try if none is left."""
    text = write()
    for _ in range(ATTEMPTS_PER_PROMPT):
        if text not in written:
            break
        text = write()
    return text


def _answer(question: str, asked: dict[str, Any], value: T, answer: object) -> Answer[T]:
    given = {name: value for name, value in asked.items() if value is not None}
    content = json.dumps({"question": question, **given}, ensure_ascii=False)
    exchange = Exchange(
        question=question,
        model="rules",
        messages=({"role": "user", "content": content},),
        answer=json.dumps(answer, ensure_ascii=False),
    )
    return Answer(value, (exchange,))
