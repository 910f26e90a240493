"""Nouns of captions that name no object: places in the picture, quantities, and views of it.

In "a stack of boxes in the middle of a lot of chairs", stack, middle and lot are not classes.
"""

STOP_NOUNS = frozenset(
    (
        # Where something is.
        *("top", "bottom", "middle", "center", "centre", "side", "sides", "front", "back", "left"),
        *("right", "end", "edge", "edges", "corner", "corners", "inside", "outside", "background"),
        *("foreground", "distance", "surface", "area", "areas", "place", "spot", "space", "part"),
        *("parts", "section", "row", "rows", "line", "lines", "way", "direction", "position"),
        # How much of it, and in which arrangement.
        *("lot", "lots", "bunch", "bunches", "group", "groups", "pair", "pairs", "couple", "set"),
        *("sets", "number", "stack", "stacks", "pile", "piles", "heap", "collection", "variety"),
        *("piece", "pieces", "slice", "bit", "amount", "dozen", "half", "rest", "series", "array"),
        *("kind", "kinds", "type", "types", "sort", "assortment", "cluster", "crowd", "load"),
        # The picture itself, and how it looks.
        *("picture", "pictures", "image", "images", "photo", "photos", "photograph", "view"),
        *("close-up", "closeup", "shot", "scene", "drawing", "painting"),
        *("illustration", "cartoon"),
        *(
            "render",
            "rendering",
            "style",
            "color",
            "colour",
            "colors",
            "colours",
            "shape",
            "shapes",
        ),
        *("pattern", "design", "size", "look", "looks", "thing", "things", "something", "object"),
        *("objects", "item", "items", "one", "ones", "other", "others", "lighting"),
        *("time", "day", "night", "morning", "evening", "motion", "use", "display"),
    )
)
"""In lower case. A label of this name that was asked for is still looked for."""
