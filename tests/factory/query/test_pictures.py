"""Pictures in notebooks: small, escaped, and without a request to another place."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select

from chatgenimage import open_store
from chatgenimage.db.models import Candidate
from chatgenimage.factory.query.cards import LONGEST_PX, Card

SOURCE = re.compile(r'src="data:image/jpeg;base64,([^"]+)"')


@pytest.fixture
def store(filled_place):
    with open_store(filled_place.data_dir) as store:
        yield store


def test_a_candidate_is_a_small_picture_with_its_boxes(store):
    html = next(store.candidates(origin="filled"))._repr_html_()
    (data,) = SOURCE.findall(html)
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (64, 64)
    assert html.count("position:absolute") == 2
    assert "dog 0.90" in html
    assert "filled, accepted" in html
    assert "http" not in html


def test_a_large_picture_is_scaled_down_and_bounded():
    noise = np.random.default_rng(0).integers(0, 256, (1500, 3000, 3), dtype=np.uint8)
    html = Card(lambda: noise, (3000, 1500), [("dog", (0, 0, 1500, 1500))] * 50, ("dog",)).to_html()
    (data,) = SOURCE.findall(html)
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (LONGEST_PX, LONGEST_PX // 2)
    assert len(html) < 40_000


def test_text_of_models_is_escaped_and_cut(filled_place, store):
    with filled_place.sessions.begin() as session:
        candidate = session.scalars(select(Candidate).order_by(Candidate.id)).first()
        candidate.caption = "<script>alert(1)</script>\x1b[2J" + "x" * 1000
    html = store.get(candidate.id)._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "\x1b" not in html
    assert "x" * 200 not in html


def test_a_missing_image_is_named_in_place_of_the_picture(store):
    row = store.get(1)
    Path(row.image).unlink()
    assert "data:image" not in row._repr_html_()
    assert "the image store has no" in row._repr_html_()


def test_the_first_pictures_of_many_are_shown_with_their_number(store):
    pictures = store.pictures(verdict="accepted", limit=2)
    assert (len(pictures), pictures.total) == (2, 6)
    assert [row.id for row in pictures] == [1, 2]
    assert "2 of 6 candidates" in pictures._repr_html_()
    assert len(store.pictures()) == 8
