"""A service on loopback that writes, paints, edits and fills for any label, without a model."""

import io
import json
import re
import zlib

import numpy as np
from PIL import Image

from chatgenimage.workers.llm.image_answers import encode_image
from tests.loopback import Loopback, lists, paints, says

MODELS = ("gpt-6-luna", "gpt-image-2")
"""Names that the shipped profiles ask for."""
PLACES = ("a beach", "a city street", "a forest", "a garden", "a field of snow")
NEW_OBJECT = "ball"
CORNERS = ([8, 8, 128, 128], [384, 8, 504, 128], [8, 384, 128, 504], [384, 384, 504, 504])
"""Boxes in pixels at 512, [x_min, y_min, x_max, y_max]."""


def service():
    """Return the server; it remembers requests like any Loopback."""
    return Loopback(_answer)


def _answer(request):
    if isinstance(request, str):
        return lists(*MODELS)
    if "messages" not in request:
        return paints(encode_image(_paint(request)))
    schema = request["response_format"]["json_schema"]
    [wanted] = schema["schema"]["properties"].values()
    text = request["messages"][-1]["content"]
    return says(json.dumps({schema["name"]: ANSWERS[schema["name"]](text, wanted)}))


def _features(_text, _wanted):
    return ["fine details", "a clear outline", "usual colours"]


def _prompts(text, wanted):
    [label] = re.findall(r"containing the (.+?)\.", text)[-1:]
    count = wanted["minItems"]
    return [f"A photo of a {label} in {PLACES[i % len(PLACES)]}, take {i}" for i in range(count)]


def _scenes(text, wanted):
    [there] = re.findall(r"should consist (.+?), and also", text)
    names = [name for name in there.split(", ") if name != "no exist objects"]
    objects = [*names, NEW_OBJECT][-wanted["items"]["properties"]["objects"]["maxItems"] :]
    count = wanted["minItems"]
    return [
        {"background": place, "objects": objects, "description": f"{', '.join(objects)} in {place}"}
        for place in (PLACES * count)[:count]
    ]


def _placements(_text, wanted):
    [label, *_] = wanted["items"]["properties"]["label"]["enum"]
    return [
        {"label": label, "box": box, "relationship": "in a corner"}
        for box in CORNERS[: wanted["maxItems"]]
    ]


ANSWERS = {
    "features": _features,
    "prompts": _prompts,
    "scenes": _scenes,
    "placements": _placements,
}
"""Functions of a question's text and the schema of its answer, by the schema's name."""


def _paint(request):
    """Return colours that depend on the prompt; inside the mask, if there is one."""
    width, height = (int(side) for side in request["size"].split("x"))
    random = np.random.default_rng(zlib.crc32(request["prompt"].encode()))
    patches = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    painted = np.array(Image.fromarray(patches).resize((width, height)))
    if "image" not in request:
        return painted
    image = _pixels(request["image"])[..., :3]
    if "mask" not in request:
        return (0.75 * image + 0.25 * painted).astype(np.uint8)
    return np.where(_pixels(request["mask"])[..., 3:] == 0, painted, image)


def _pixels(content):
    return np.array(Image.open(io.BytesIO(content)))
