"""Numbers with their nouns, as messages and documents say them."""


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """Return the number with its noun: `1 image`, `2 images`.

    Args:
        number: How many.
        singular: The noun, with words before it if there are any: `test image`.
        plural: Its plural; None adds an s.
    """
    noun = singular if number == 1 else plural or f"{singular}s"
    return f"{number} {noun}"
