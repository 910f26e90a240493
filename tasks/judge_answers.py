"""Parser of a judge's short answers: a rating between 0 and 1, or a count.

Small models answer in many forms: "8/10", "0.8", "80 %", "eight", "Yes, it is", "There are no
dogs".
What allows more than one reading is left unread: a wrong score would reject or accept in silence.
"""

import re
from collections.abc import Iterator

WORDS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    *("nineteen", "twenty"),
)
MOST_CHARS = 1000
"""Longest answer that is read."""
MOST = 10.0
"""End of the scale that the question asks for."""
LEAST_OF_HUNDRED = 20.0
"""A rating above this is one of 100; from 10 to this it may be either."""
HUNDRED = 100.0
EVEN = 0.5
"""A rating from here says yes, one below says no."""
N = r"(\d+(?:\.\d+)?)"
NUMBER = re.compile(rf"(?<![\w.-]){N}(?![\w]|\.\d)")
NUMBER_WORD = re.compile(rf"\b({'|'.join(WORDS)})\b")
DECIMAL_COMMA = re.compile(r"(?<=\d),(?=\d)")
SHARE = re.compile(rf"{N} ?(?:/|out of|of|from) ?{N}(?!\w)")
"""A rating with its scale: "8/10", "8 out of 10"."""
PERCENT = re.compile(rf"{N} ?(?:%|percent\b|per cent\b)")
REPEATED_SCALE = re.compile(
    r"(?:on |in )?(?:a |the )?(?:scale |range )?(?:of |from )?\b0 ?(?:\([^)]*\))?"
    r" ?(?:to|-|\u2013|and) ?10\b ?(?:\([^)]*\))?"
)
"""The question's scale, which some models repeat before their number."""
RATED = re.compile(
    rf"\b(?:score|rating|rate|answer|confidence|certainty|say|give|number)\b[^\d.]{{0,20}}?{N}"
)
"""A number that is named as the rating: "my score is 8"."""
YES = re.compile(r"\W*(?:yes|yeah|certainly(?! not)|definitely(?! not)|absolutely(?! not))\b")
NO = re.compile(r"\W*(?:no|nope|none|certainly not|definitely not|absolutely not|not at all)\b")
APPROXIMATE = re.compile(
    r"\d ?\+|\b(?:more|fewer|less|greater|over|under|at least|at most|up to|between|or)\b"
)
"""Words that make a number a bound."""
NOTHING = re.compile(
    r"^\W*(?:no|none|nothing|zero)\W*$|^\W*(?:no|none|not any|zero)\b(?!\W*[,.;:!])"
    r"|\b(?:are|is|contains?|shows?|has|have|see|with) (?:no|none|not any|zero)\b"
    r"(?! (?:more|less))"
    r"|\b(?:aren.t|isn.t|are not|is not|doesn.t \w+|don.t \w+) any\b|\bnone of\b|^\W*none\b"
)
"""An answer that counts nothing: "none", "there are no dogs"; not "no, there are 2"."""
TOTALLED = re.compile(
    r"\b(?:total(?: of)?|altogether|answer is|count is|number is)\W*(\d+)\b"
    r"|\b(\d+)(?: \w+){0,2} (?:in total|altogether)\b"
)
"""A number that is named as the sum: "3 dogs in total"."""
STATED = re.compile(
    r"\b(?:there (?:is|are)|there's|i (?:can )?(?:see|count)|shows?|contains?|has|have|depicts?)"
    r"(?: exactly| about| only| just)? (\d+)\b"
)
"""A number that is said to be in the image: "there are 3"."""
PLAIN = (  # words for a count, with the count
    (re.compile(r"\b(?:a )?dozen\b"), "12"),
    (re.compile(r"\b(?:a )?(?:couple|pair)\b"), "2"),
    (re.compile(r"\b(?:a|an|the) (?:single|sole)\b|\bsingle\b"), "1"),
)
A_THING = re.compile(r"\b(?:there is|i see|shows|contains) an? (?=\w)")
"""An article that counts one: "there is a dog"."""


def read_rating(answer: str) -> float | None:
    """Return a rating on the scale from 0 to 10 as a value in [0, 1]; None if it is not clear.

    Shares ("0.8", "4/5"), percents and ratings of 100 are read too; "yes" is 1 and "no" is 0.

    Args:
        answer: As the model wrote it.
    """
    if len(answer) > MOST_CHARS:
        return None
    text = REPEATED_SCALE.sub(" ", _normalise(answer)).strip()
    said = 1.0 if YES.match(text) else 0.0 if NO.match(text) else None
    explicit = _read_explicit(text)
    rating = _one_of(explicit) if explicit else _read_plain(text, has_said=said is not None)
    if said is None or rating is None:
        return rating if said is None else (said if not explicit else None)
    return rating if (rating >= EVEN) == (said >= EVEN) else None


def read_count(answer: str) -> int | None:
    """Return the number of things that an answer counts; None if it is not clear.

    Args:
        answer: As the model wrote it.
    """
    if len(answer) > MOST_CHARS:
        return None
    text = _normalise(answer)
    for form, digits in PLAIN:
        text = form.sub(digits, text)
    text = A_THING.sub(lambda found: found[0].replace(" an ", " 1 ").replace(" a ", " 1 "), text)
    numbers = [float(number) for number in NUMBER.findall(text)]
    if NOTHING.search(text):
        return 0 if not any(numbers) or _begins_with_nothing(text) else None
    if APPROXIMATE.search(text) or _is_range(text) or (NO.match(text) and any(numbers)):
        return None
    for form in (TOTALLED, STATED):
        if found := form.search(text):
            return int(next(filter(None, found.groups())))
    number = _first_or_only(text, numbers)
    return int(number) if number is not None and number.is_integer() else None


def _normalise(answer: str) -> str:
    """Return an answer in lower case, with digits for words and points in decimals."""
    text = DECIMAL_COMMA.sub(".", " ".join(answer.lower().replace("*", " ").split()))
    text = re.sub(r"\b(?:no|not) one\b", "none", text)
    return NUMBER_WORD.sub(lambda found: str(WORDS.index(found[0])), text)


def _read_explicit(text: str) -> list[float]:
    """Return ratings that say their own scale: "8/10", "8 out of 10", "80 %"."""
    shares = [
        float(part) / float(whole)
        for part, whole in SHARE.findall(text)
        if float(whole) in {1.0, 5.0, MOST, HUNDRED} and float(part) <= float(whole)
    ]
    percents = [float(part) / HUNDRED for part in PERCENT.findall(text) if float(part) <= HUNDRED]
    return shares + percents


def _read_plain(text: str, *, has_said: bool) -> float | None:
    """Return the rating of an answer that says no scale."""
    if _is_range(text):
        return None
    rated = {float(number) for number in RATED.findall(text)}
    if len(rated) == 1:
        return _on_the_scale(rated.pop(), text)
    if has_said and not re.fullmatch(rf"\W*[a-z]+(?: not)?\W*{N}\W*", text):
        return None  # "Yes, there are 2 dogs" rates nothing
    number = _first_or_only(text, [float(one) for one in NUMBER.findall(text)])
    return None if number is None else _on_the_scale(number, text)


def _on_the_scale(number: float, text: str) -> float | None:
    """Return a number as a share of the scale that it must be on."""
    is_decimal = re.search(r"\d\.\d", text) is not None
    if number <= 1 and is_decimal:
        return None if number == 1 else number  # "1.0" is the most of 1, or little of 10
    if number <= MOST:
        return number / MOST
    return number / HUNDRED if LEAST_OF_HUNDRED < number <= HUNDRED else None


def _first_or_only(text: str, numbers: list[float]) -> float | None:
    """Return the number that is the only one, or alone before or after the words; else None."""
    if not numbers or re.search(r"(?<![\w)])-\d", text):
        return None
    if len(set(numbers)) == 1:
        return numbers[0]
    edges = set(_numbers_at_the_edges(text))
    return edges.pop() if len(edges) == 1 else None


def _numbers_at_the_edges(text: str) -> Iterator[float]:
    """Yield a number that is alone at the beginning, and one that is alone at the end."""
    if first := re.match(rf"\W*{N}\s*(?:[.,:;!(\u2014-]|$)", text):
        yield float(first[1])
    if last := re.search(rf"(?:^|[.,:;!\u2014=])\s*(?:so |thus |therefore )?{N}\W*$", text):
        yield float(last[1])


def _begins_with_nothing(text: str) -> bool:
    return re.match(r"\W*(?:no|none|there are no|there is no)\b", text) is not None


def _is_range(text: str) -> bool:
    return re.search(r"\d ?(?:-|\u2013|to) ?\d", text) is not None


def _one_of(ratings: list[float]) -> float | None:
    return ratings[0] if len(set(ratings)) == 1 else None
