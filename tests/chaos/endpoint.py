"""Language model server on loopback: answers well, or badly after `misbehave`."""

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable

from tests.loopback import Loopback, Reply, fails, says

HANG_S = 4
PLACES = ("on a beach", "in a forest", "on a city street", "under a night sky")
THINGS = ("car", "tree", "ball", "boat", "dog", "house")
FEATURES = re.compile(r"features for distinguishing a (.+?) in a photo")
PROMPTS = re.compile(r"Give me (\d+) high quality prompts .* containing the (.+?)\. Scene prompts")
SCENES = re.compile(r"Give me (\d+) real scene .* should consist (.*), and also contain")
PLACEMENTS = re.compile(r"make (\d+) possible .* following objects (.+?)\. The size of", re.DOTALL)


class Endpoint(Loopback):
    """Answers the loop's four requests deterministically; `misbehave` spoils the next answers."""

    def __init__(self):
        super().__init__(self._reply)
        self._server.handle_error = lambda *_: None  # clients that timed out are gone
        self._lock = threading.Lock()
        self._faults = []
        self.struck = []

    def misbehave(self, kind, times):
        """Spoil the next `times` answers: "429", "500", "hang" or "half"."""
        with self._lock:
            self._faults = [kind] * times

    def _reply(self, request):
        step, answer = answer_to(request)
        with self._lock:
            kind = self._faults.pop() if self._faults else None
            if kind:
                self.struck.append((kind, step))
        match kind:
            case "429":
                return fails(429, "slow down")
            case "500":
                return fails(500, "out of order")
            case "hang":
                time.sleep(HANG_S)
            case "half":
                whole = says(json.dumps(answer))
                return Reply(whole.body[: len(whole.body) // 2])
        return says(json.dumps(answer))


def answer_to(request):
    """Return the name of the step and a good answer that depends only on the request."""
    texts = [message["content"] for message in request["messages"] if message["role"] == "user"]
    for text in reversed(texts):  # a repair adds messages; the first request is the same
        for step, question, answer in QUESTIONS:
            if match := question.search(text):
                return step, answer(*match.groups(), _pick(text, request["seed"]))
    raise LookupError(texts)


def _features(_label, pick):
    return {"features": [f"a {pick(('red', 'blue'))} back", "short legs", "a tail"]}


def _prompts(count, label, pick):
    prompts = [f"a {label} and a {pick(THINGS, n)} {pick(PLACES, n)}" for n in range(int(count))]
    return {"prompts": prompts}


def _scenes(count, existing, pick):
    objects = [] if existing == "no exist objects" else existing.split(", ")
    scenes = []
    for number in range(int(count)):
        new = pick(THINGS, number)
        _, _, background = pick(PLACES, number).partition(" ")
        description = f"a {' and a '.join([*objects, new])} in {background}"
        scenes.append(
            {"background": background, "objects": [*objects, new], "description": description}
        )
    return {"scenes": scenes}


def _placements(count, targets, pick):
    names, corners = targets.split(", "), range(10, 340, 30)
    placements = []
    for number in range(int(count)):
        x, y = pick(corners, number), pick(corners, number, "y")
        box = [x, y, x + 110, y + 120]
        placements.append({"label": names[0], "box": box, "relationship": "near by"})
    return {"placements": placements}


QUESTIONS: tuple[tuple[str, re.Pattern, Callable[..., dict]], ...] = (
    ("brainstorm", FEATURES, _features),
    ("brainstorm", PROMPTS, _prompts),
    ("imagine", SCENES, _scenes),
    ("place", PLACEMENTS, _placements),
)


def _pick(*key):
    def pick(choices, *more):
        digest = hashlib.sha256(repr((key, more)).encode()).digest()
        return choices[int.from_bytes(digest[:4], "big") % len(choices)]

    return pick
