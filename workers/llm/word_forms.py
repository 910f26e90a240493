"""Words of a label in a text: whole words, with their plurals and some synonyms.

English is inflected by rule, and more forms than exist do no harm: a form that is not a word is in
no text. Words with Greek or Cyrillic letters may differ at their end. Labels in scripts that write
words together (Chinese, Thai, Arabic and others) are searched as text.
"""

import re
import unicodedata
from functools import cache
from itertools import pairwise

WORD = re.compile(r"[^\W_]+")
LAST_SPACED = "\u052f"
"""The last Cyrillic letter: scripts behind it may join words, or have no spaces."""
MIN_STEM = 3
MAX_TAIL = 3

NOT_PLURAL = frozenset({"news", "glasses"})
"""Words that mean something else without their last s."""
IRREGULAR = {
    "person": ("people", "persons"),
    "man": ("men",),
    "woman": ("women",),
    "child": ("children",),
    "foot": ("feet",),
    "tooth": ("teeth",),
    "goose": ("geese",),
    "mouse": ("mice",),
    "louse": ("lice",),
    "ox": ("oxen",),
    "die": ("dice",),
    "cactus": ("cacti",),
    "fungus": ("fungi",),
    "octopus": ("octopi",),
}
SYNONYMS = (
    {"tv", "television", "tv set", "television set", "telly"},
    {"airplane", "aeroplane", "plane", "aircraft"},
    {"car", "automobile"},
    {"bicycle", "bike"},
    {"motorcycle", "motorbike"},
    {"cell phone", "cellphone", "mobile phone", "smartphone", "cellular telephone"},
    {"couch", "sofa"},
    {"donut", "doughnut"},
    {"hair drier", "hair dryer"},
    {"refrigerator", "fridge"},
    {"traffic light", "traffic signal", "stoplight"},
    {"potted plant", "plant in a pot", "houseplant"},
    {"wine glass", "glass of wine", "wineglass"},
    {"sports ball", "ball"},
    {"laptop", "notebook computer"},
    {"hippo", "hippopotamus"},
    {"rhino", "rhinoceros"},
    {"grey", "gray"},
)
"""Names of the same thing, as label lists and language models write them."""
KINDS = {"person": ("man", "woman", "child", "boy", "girl", "human")}
"""Words that name one of a label's kind, where almost no text names the label itself."""


def mentions(text: str, label: str) -> bool:
    """Return whether a text names a label in whole words.

    `person` is in "a crowd of people", `TV` in "a television"; `cat` is not in "a catalogue", nor
    `hot dog` in "a dog on a hot day". The parts of a label with a slash are alternatives.
    """
    plain = _plain(label)
    wanted = _words(plain)
    if not wanted or any(char.isalpha() and char > LAST_SPACED for char in plain):
        return plain in _plain(text)
    words = _words(_plain(text))
    parts = (_names(tuple(_words(part))) for part in plain.split("/"))
    return any(_has(words, name) for names in parts for name in names)


def _has(words: list[str], name: tuple[str, ...]) -> bool:
    """Return whether the words of a name follow one another, or are written as one or two."""
    if name == ("".join(name),):
        written = [*words, *map("".join, pairwise(words))]
    else:
        written = words
        if any(word in _forms("".join(name)) for word in words):
            return True
    length = len(name)
    return any(
        all(map(_is_form, written[start : start + length], name))
        for start in range(len(written) - length + 1)
    )


def _words(text: str) -> list[str]:
    return WORD.findall(text)


def _plain(text: str) -> str:
    """Return a text in lower case, without accents, with "&" as a word."""
    apart = unicodedata.normalize("NFKD", text.replace("&", " and ").casefold())
    return "".join(char for char in apart if not unicodedata.combining(char)).strip()


@cache
def _names(words: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Return the words of a label and of its synonyms."""
    if not words:
        return ()
    name = " ".join(words)
    same = [name]
    for group in SYNONYMS:
        if any(name in {known, f"{known}s"} for known in group):
            same += sorted(group)
    for kind, members in KINDS.items():
        if name in {kind, *IRREGULAR[kind]}:
            same += members
    return tuple(tuple(known.split()) for known in dict.fromkeys(same))


def _is_form(word: str, of: str) -> bool:
    if word in _forms(of):
        return True
    if of.isascii() or len(of) <= MIN_STEM:
        return False
    stem = of[: max(len(of) - 2, MIN_STEM)]
    return word.startswith(stem) and len(word) - len(stem) <= MAX_TAIL


@cache
def _forms(word: str) -> frozenset[str]:
    """Return a word with its plural, or its singular if it may be a plural."""
    forms = {word, f"{word}s", f"{word}es", *IRREGULAR.get(word, ())}
    forms |= {one for one, plurals in IRREGULAR.items() if word in plurals}
    if word.endswith("y"):
        forms.add(f"{word[:-1]}ies")
    if word.endswith("f"):
        forms.add(f"{word[:-1]}ves")
    if word.endswith("fe"):
        forms.add(f"{word[:-2]}ves")
    if word.endswith("man"):
        forms.add(f"{word[:-3]}men")
    if word.endswith("s") and not word.endswith("ss") and word not in NOT_PLURAL:
        forms |= {word[:-1], word.removesuffix("es")}
        if word.endswith("ies"):
            forms.add(f"{word[:-3]}y")
        if word.endswith("ves"):
            forms |= {f"{word[:-3]}f", f"{word[:-3]}fe"}
    return frozenset(forms)
