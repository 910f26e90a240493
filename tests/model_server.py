"""A server on loopback that answers OpenAI's protocol with the micro models."""

import base64
import io
import json
import threading
import zlib
from typing import Any

import numpy as np
from PIL import Image

from chatgenimage.factory.settings.model import load_settings
from chatgenimage.workers.llm.image_answers import encode_image
from chatgenimage.workers.registry import load_family
from tests.loopback import Loopback, fails, lists, paints, says

THOUSAND = 1000
SERVED = ("diffusion", "editing", "captioning", "detection")


class ModelServer(Loopback):
    """Paints, edits, fills, captions and finds; remembers requests like any Loopback.

    Attributes:
        first: Replies that are given to the first requests for a new image instead.
    """

    def __init__(self, *first):
        super().__init__(self._serve)
        self.first = list(first)
        settings = load_settings("micro")
        self._models: dict[str, Any] = {
            key: load_family(settings.families[key], "cpu") for key in SERVED
        }
        self._lock = threading.Lock()  # the models work in one thread at a time

    def count(self, path):
        """Return how many requests ended with this path."""
        return sum(asked.endswith(path) for asked in self.paths)

    def _serve(self, request):
        with self._lock:
            if isinstance(request, str):
                return lists("painter", "seer")
            if "messages" in request:
                return says(self._look(request))
            if "image" not in request and self.first:
                return self.first.pop(0)
            return paints(encode_image(self._paint(request)))

    def _paint(self, request):
        prompt = request["prompt"]
        seeds = [zlib.crc32(prompt.encode())]
        if "image" not in request:
            return self._models["diffusion"].generate([prompt], seeds)[0]
        image = _pixels(request["image"])[..., :3]
        if "mask" not in request:
            return self._models["editing"].edit([image], [prompt], seeds)[0]
        mask = _pixels(request["mask"])[..., 3] == 0
        return self._models["diffusion"].fill([image], [mask], [prompt], seeds)[0]

    def _look(self, request):
        shown, asked = request["messages"][0]["content"]
        image = _pixels(base64.b64decode(shown["image_url"]["url"].partition(",")[2]))
        text = asked["text"]
        if text.startswith("Describe"):
            return self._models["captioning"].caption([image])[0]
        if text.startswith("Find every object"):
            labels = text.partition("one of: ")[2].partition(". Answer")[0].split(", ")
            [found] = self._models["detection"].detect([image], [labels])
            scale = np.array([*image.shape[1::-1], *image.shape[1::-1]]) / THOUSAND
            objects = [
                {"label": each.label, "box": list(np.round(each.box_xyxy / scale, 1))}
                for each in found
            ]
            return json.dumps({"objects": objects})
        return "9"


def blocked():
    """Return a refusal of the content filter."""
    return fails(400, "Your request was rejected by our safety system. content_policy_violation")


def _pixels(content):
    return np.array(Image.open(io.BytesIO(content)))
