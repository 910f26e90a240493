import pytest

from chatgenimage.factory.wording import counted


@pytest.mark.parametrize(
    ("number", "nouns", "expected"),
    [
        (1, ("image",), "1 image"),
        (0, ("image",), "0 images"),
        (2, ("test image",), "2 test images"),
        (1, ("class", "classes"), "1 class"),
        (12, ("class", "classes"), "12 classes"),
    ],
)
def test_a_number_has_its_noun(number, nouns, expected):
    assert counted(number, *nouns) == expected
