"""A scene and a placement, as objects and as a language model writes them."""

from chatgenimage.workers.values import ImaginedScene, ProposedObject

BEACH = ImaginedScene("a beach", ("dog", "umbrella"), "A dog sits under an umbrella.")
BEACH_JSON = {
    "background": "a beach",
    "objects": ["dog", "umbrella"],
    "description": "A dog sits under an umbrella.",
}
CAT = ProposedObject("cat", (343.23, 176.29, 467.23, 353.13), "sitting next to the dog")
CAT_JSON = {
    "label": "cat",
    "box": [343.23, 176.29, 467.23, 353.13],
    "relationship": "sitting next to the dog.",
}
