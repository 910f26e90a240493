import io
import re
from functools import partial
from html.parser import HTMLParser

import pytest
from PIL import Image
from sqlalchemy import select
from typer.testing import CliRunner

from chatgenimage.db.models import Batch, Candidate, Label, LlmCall, Score
from chatgenimage.db.runs import get_run
from chatgenimage.db.session import reading
from chatgenimage.factory.cli import app
from chatgenimage.factory.reports.charts import draw_balance, draw_outcomes, to_svg
from chatgenimage.factory.reports.report import read_facts, to_page
from tests import rows

NASTY = "<script>alert(1)</script> $x$ & co"


class Reader(HTMLParser):
    """Collects addresses, scripts and texts of a page."""

    def __init__(self, page):
        super().__init__()
        self.sources, self.tags, self.text = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value for name, value in attrs if name in {"src", "href", "xlink:href"}]

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture
def nasty_place(filled_place):
    """A run with hostile texts, a missing file, and language model calls."""
    with filled_place.sessions.begin() as session:
        session.get_one(Label, 1).name = NASTY
        candidate = session.get_one(Candidate, 1)
        candidate.caption, candidate.sha256 = NASTY, "0" * 64
        for score in session.scalars(select(Score)):
            score.threshold, score.passed = 0.3, score.value >= 0.3
        batch = session.scalars(select(Batch).order_by(Batch.id)).first()
        step = rows.add_steps(session, batch)[0]
        rows.add_item(session, step, 1).duration_s = 2.5
        session.add(
            LlmCall(
                run_id=1,
                step_id=step.id,
                subject_id=1,
                question="prompts",
                model="gpt",
                messages=[],
                answer="",
                prompt_tokens=300,
                completion_tokens=60,
                duration_s=1,
                cost=0.6,
            )
        )
    return filled_place


@pytest.fixture(scope="module")
def drawn():
    """The page once it was made, which takes a second."""
    return []


@pytest.fixture
def page(nasty_place, drawn):
    if not drawn:
        with reading(nasty_place.sessions) as session:
            drawn.append(to_page(read_facts(session, get_run(session, 1)), nasty_place.images))
    return drawn[0]


def test_the_page_needs_nothing_from_elsewhere(page):
    sources = Reader(page).sources
    outside = [source for source in sources if not source.startswith(("data:image/", "#"))]
    assert outside == []
    assert len([source for source in sources if source.startswith("data:image/webp")]) == 7
    assert not re.search(r"url\(\s*['\"]?https?:|@import", page)


def test_user_input_is_escaped(page):
    reader = Reader(page)
    assert reader.tags.count("script") == 1  # the page's own, which sorts tables
    assert NASTY not in page
    assert any(NASTY in text for text in reader.text)


@pytest.mark.filterwarnings("error")
def test_a_long_name_is_cut_and_leaves_room_for_the_bars():
    names = ["x" * 199 + last for last in "ab"]
    for draw in (
        partial(draw_outcomes, outcomes={name: {"accepted": 1} for name in names}),
        partial(draw_balance, counts=dict.fromkeys(names, 1)),
    ):
        assert to_svg(draw, "long", (6.4, 3.2)).count("xxx…") == len(names)


def test_a_missing_image_leaves_a_gap(page):
    assert page.count("file missing") == 1


def test_the_page_shows_the_funnel_the_scores_and_the_cost(page):
    text = " ".join(Reader(page).text)
    assert "6 of 8 candidates accepted" in text
    assert "rejected: pixels_changed" in text
    assert "clip_similarity of filled" in text
    assert re.search(r"cost\s+0\.6000\s+0\.1000", text)
    assert re.search(r"prompt tokens\s+300\.0\s+50\.0", text)


def test_the_page_says_that_the_cost_of_uncounted_tokens_is_unknown(nasty_place, page):
    assert "unknown cost" not in page
    with nasty_place.sessions.begin() as session:
        session.scalars(select(LlmCall)).one().completion_tokens = None
    with reading(nasty_place.sessions) as session:
        text = to_page(read_facts(session, get_run(session, 1)), nasty_place.images)
    assert re.search(r"answers of unknown cost\s+1\.0", " ".join(Reader(text).text))


def test_the_page_has_its_own_colours_for_dark_rooms(page):
    assert "prefers-color-scheme: dark" in page
    assert "currentColor" in page
    assert "#010203" not in page


def test_charts_share_no_ids(page):
    ids = re.findall(r'<[a-zA-Z]+[^>]* id="([^"]+)"', page)
    clips = [one for one in ids if re.fullmatch(r"p[0-9a-f]{10}", one)]
    assert len(clips) == len(set(clips)) > 1


def test_the_command_writes_a_page_and_a_picture(nasty_place, tmp_path):
    out = tmp_path / "new" / "r.html"
    words = ["report", "--data-dir", str(nasty_place.data_dir), "--out", str(out)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert result.stdout.split() == [str(out), str(out.with_suffix(".png"))]
    assert out.read_text().startswith("<!doctype html>")
    with Image.open(io.BytesIO(out.with_suffix(".png").read_bytes())) as picture:
        assert picture.width > 1000


def test_a_run_without_candidates_has_a_report_too(place):
    with place.sessions.begin() as session:
        rows.add_run(session)
    with reading(place.sessions) as session:
        text = to_page(read_facts(session, get_run(session)), place.images)
    assert "0 of 0 candidates accepted" in text
