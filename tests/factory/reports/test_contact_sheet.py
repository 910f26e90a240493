from collections import Counter

import numpy as np
import pytest
from PIL import Image, ImageDraw

from chatgenimage.db.errors import RowNotFound
from chatgenimage.db.queries import CandidateFilter, iter_candidates
from chatgenimage.db.runs import AcceptedCandidate
from chatgenimage.db.states import Origin
from chatgenimage.factory.errors import CannotWrite
from chatgenimage.factory.reports.contact_sheet import choose_shown, write_contact_sheet
from chatgenimage.factory.reports.overlay import (
    PALETTE,
    Overlay,
    colours_of,
    draw_dashed_box,
    draw_tag,
    text_colour_on,
)
from tests import rows


def accepted(*groups):
    """Return candidates from (label, origin, parent_id, count)."""
    return [
        AcceptedCandidate(number, label, origin, parent)
        for number, (label, origin, parent) in enumerate(
            (label, origin, parent) for label, origin, parent, count in groups for _ in range(count)
        )
    ]


def test_every_label_gets_its_share():
    found = accepted(("dog", "generated", None, 50), ("house", "generated", None, 3))
    labels = Counter(found[number].label for number in choose_shown(found, 10))
    assert labels == {"dog": 7, "house": 3}


def test_more_labels_than_places_give_one_place_each():
    found = accepted(*((f"label {n}", "generated", None, 2) for n in range(30)))
    assert len({found[number].label for number in choose_shown(found, 24)}) == 24


def test_derived_images_come_before_initial_ones_and_none_is_left_out():
    found = accepted(
        ("dog", "generated", None, 9), ("dog", "edited", 1, 9), ("dog", "filled", 2, 9)
    )
    origins = [found[number].origin for number in choose_shown(found, 10)]
    assert origins == [Origin.FILLED] * 4 + [Origin.EDITED] * 4 + [Origin.GENERATED] * 2


def test_children_of_different_parents_go_before_siblings():
    found = accepted(*(("dog", "edited", parent, 4) for parent in (1, 2, 3)))
    assert {found[number].parent_id for number in choose_shown(found, 3)} == {1, 2, 3}


@pytest.mark.parametrize("limit", [1, 6, 24])
def test_never_more_than_there_are_or_than_fit(limit):
    found = accepted(("dog", "generated", None, 4), ("house", "edited", 1, 2))
    chosen = choose_shown(found, limit)
    assert len(chosen) == len(set(chosen)) == min(limit, 6)
    assert choose_shown([], limit) == []


def test_the_sheet_is_a_png_with_white_around(filled_place, tmp_path):
    path = tmp_path / "new" / "sheet.png"
    assert write_contact_sheet(filled_place.sessions, filled_place.images, path, run_id=1) == 6
    with Image.open(path) as sheet:
        assert sheet.format == "PNG"
        pixels = np.asarray(sheet.convert("RGB"))
    assert (pixels[:, 0] == 255).all()
    assert {PALETTE[index] for index in range(3)} <= set(map(tuple, pixels.reshape(-1, 3)))
    assert [file.name for file in path.parent.iterdir()] == ["sheet.png"]


def test_a_parent_is_left_of_its_child(filled_place, tmp_path):
    path = tmp_path / "sheet.png"
    write_contact_sheet(filled_place.sessions, filled_place.images, path, run_id=1, limit=2)
    with Image.open(path) as sheet:
        pixels = sheet.convert("RGB")
    first_filled_row = 84 + 44 + 10
    assert pixels.getpixel((32 + 10, first_filled_row)) == (255, 228, 181)  # colour of the edit
    assert pixels.getpixel((32 + 224 + 28 + 10, first_filled_row)) == (255, 228, 181)
    assert pixels.getpixel((32 + 224 + 3, first_filled_row)) == (255, 255, 255)


def test_labels_with_one_image_each_share_a_row(place, tmp_path):
    names = [f"label {number}" for number in range(7)]
    with place.sessions.begin() as session:
        run = rows.add_run(session, names)
        for batch in rows.batches_of(session, run):
            rows.add_candidate(place, session, batch)
    path = tmp_path / "sheet.png"
    assert write_contact_sheet(place.sessions, place.images, path, run_id=1) == len(names)
    with Image.open(path) as sheet:
        assert sheet.height < 4 * (sheet.width // 3)


def test_nothing_accepted_gives_no_sheet(place, tmp_path):
    with place.sessions.begin() as session:
        rows.add_run(session)
    path = tmp_path / "sheet.png"
    assert write_contact_sheet(place.sessions, place.images, path, run_id=1) == 0
    assert not path.exists()


def test_a_run_that_is_not_there_and_a_path_that_cannot_be_are_errors(filled_place, tmp_path):
    with pytest.raises(RowNotFound):
        write_contact_sheet(
            filled_place.sessions, filled_place.images, tmp_path / "a.png", run_id=9
        )
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite, match="Name another file"):
        write_contact_sheet(
            filled_place.sessions, filled_place.images, tmp_path / "file" / "a.png", run_id=1
        )


def test_long_words_and_strange_shapes_do_not_break_the_sheet(place, tmp_path):
    with place.sessions.begin() as session:
        batch = rows.batch_of(session, rows.add_run(session, ("犬" * 40,)))
        rows.add_candidate(
            place,
            session,
            batch,
            [("w" * 100, "red", (0, 0, 64, 64))],
            caption="word" * 200,
            prompt_text="a very long prompt " * 50,
        )
        rows.add_candidate(place, session, batch, caption=None, scores={})
    assert write_contact_sheet(place.sessions, place.images, tmp_path / "s.png", run_id=1) == 2


def test_the_mask_tints_the_object_and_nothing_else(filled_place):
    with filled_place.sessions() as session:
        wanted = CandidateFilter(labels=("dog",), origin=Origin.GENERATED)
        (candidate,) = iter_candidates(session, wanted)
        pixels = filled_place.images.get(candidate.sha256)
        overlay = Overlay(128, {"dog": (0, 0, 255)})
        plain, drawn = overlay.plain(pixels), overlay.annotated(pixels, candidate)
    centre = (2 * 19, 2 * 39)
    assert drawn.size == (128, 128)
    assert drawn.getpixel(centre)[2] > plain.getpixel(centre)[2]
    assert drawn.getpixel((100, 100)) == plain.getpixel((100, 100))
    assert drawn.getpixel((2 * 8, 2 * 24)) == (0, 0, 255)


def test_an_image_that_is_not_square_keeps_its_shape():
    tall = np.zeros((100, 50, 3), dtype=np.uint8)
    assert Overlay(224, {}).plain(tall).size == (112, 224)


def test_each_class_has_one_colour_in_the_order_of_the_classes():
    colours = colours_of(["dog", "house", "dog", "tree"])
    assert list(colours.items()) == list(zip(("dog", "house", "tree"), PALETTE, strict=False))


@pytest.mark.parametrize("colour", PALETTE, ids=str)
def test_text_on_every_colour_is_readable(colour):
    def luminance(rgb):
        red, green, blue = ((part / 255) ** 2.2 for part in rgb)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted([luminance(colour), luminance(text_colour_on(colour))])
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_a_tag_stays_inside_the_image():
    image = Image.new("RGB", (60, 60))
    draw_tag(ImageDraw.Draw(image), "dog", (50, 0, 60, 10), (255, 0, 0), image.size)
    assert image.getpixel((59 - 1, 5)) == (255, 0, 0)


def test_dashes_show_on_black_and_on_white():
    for background, dash in (("black", (255, 255, 255)), ("white", (0, 0, 0))):
        image = Image.new("RGB", (60, 60), background)
        draw_dashed_box(ImageDraw.Draw(image), (5, 5, 50, 50))
        assert dash in {image.getpixel((x, 5)) for x in range(5, 50)}
