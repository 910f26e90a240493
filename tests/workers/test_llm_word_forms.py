import pytest

from chatgenimage.workers.llm.word_forms import mentions


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("person", "a crowd of people"),
        ("person", "two persons in a park"),
        ("person", "an old woman with an umbrella"),
        ("people", "one person"),
        ("TV", "an old television in a room"),
        ("TV", "a television set"),
        ("TV", "three TVs on a wall"),
        ("tv set", "a TV"),
        ("cat", "Cats, and more cats"),
        ("cat", "the cat's tail"),
        ("cats", "a cat"),
        ("hot dog", "two hot dogs on a plate"),
        ("hot dog", "a hot-dog"),
        ("hot dog", "a hotdog"),
        ("toothbrush", "a tooth brush"),
        ("knife", "sharp knives"),
        ("knives", "a knife"),
        ("leaf", "fallen leaves"),
        ("berry", "wild berries"),
        ("berries", "a berry"),
        ("box", "boxes"),
        ("bus", "a bus, two buses"),
        ("child", "children at play"),
        ("mouse", "mice"),
        ("snowman", "snowmen"),
        ("fire hydrant", "red fire hydrants"),
        ("bird of prey", "birds of prey"),
        ("airplane", "an aeroplane in the sky"),
        ("couch", "a red sofa"),
        ("wine glass", "a glass of wine"),
        ("traffic_light", "a traffic light"),
        ("TV/monitor", "a monitor on a desk"),
        ("salt & pepper", "salt and pepper"),
        ("St. Bernard", "a St Bernard in the snow"),
        ("rock'n'roll", "a rock'n'roll band"),
        ("caf\u00e9", "a cafe in Paris"),
        (
            "\u0441\u043e\u0431\u0430\u043a\u0430",
            "\u043f\u043e\u0440\u0442\u0440\u0435\u0442 \u0441\u043e\u0431\u0430\u043a\u0438",
        ),
        ("\u72ac", "\u516c\u5712\u306e\u72ac"),
        ("\U0001f415", "a \U0001f415 on a beach"),
    ],
)
def test_a_label_is_found_in_all_its_forms(label, text):
    assert mentions(text, label)


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("cat", "a catalogue of chairs"),
        ("hot dog", "a dog on a hot day"),
        ("hot dog", "a hot day for a dog"),
        ("car", "a carpet"),
        ("bear", "a man with a beard"),
        ("star", "at the start"),
        ("person", "a personal computer"),
        ("TV", "a red sofa"),
        ("news", "a new house"),
        ("glasses", "a glass of milk"),
        ("ant", "a giant plant"),
        ("fire hydrant", "a fire next to a hydrant"),
        ("dog", ""),
        ("\U0001f415", "a dog"),
    ],
)
def test_other_words_are_not_taken_for_the_label(label, text):
    assert not mentions(text, label)
