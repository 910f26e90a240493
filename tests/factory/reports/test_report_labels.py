"""Labels in the report: the worst first, those that got nothing, and tables that can be sorted."""

import pytest
from sqlalchemy import update

from chatgenimage.db.models import Label
from chatgenimage.db.runs import get_run
from chatgenimage.db.session import reading
from chatgenimage.db.states import Origin, Verdict
from chatgenimage.factory.reports.report import MOST_LABELS, WORST_LABELS, read_facts, to_page
from chatgenimage.tasks.filter_rules import REASONS
from tests import rows

LABELS = MOST_LABELS + 10


def make_page(place):
    with reading(place.sessions) as session:
        return to_page(read_facts(session, get_run(session, 1)), place.images)


@pytest.fixture
def page(place):
    """The report of 40 labels: the last one has most, of the first five nothing was accepted."""
    with place.sessions.begin() as session:
        run = rows.add_run(session, [f"label {number:02d}" for number in range(LABELS)])
        for number, batch in enumerate(rows.batches_of(session, run)):
            for index in range(1 + (number == LABELS - 1)):
                verdict = Verdict.REJECTED if number < 5 else Verdict.ACCEPTED
                reason = "blur" if number < 5 else None
                key = f"b0/g{index}"
                rows.add_candidate(place, session, batch, key=key, verdict=verdict, reason=reason)
        session.execute(update(Label).values(quota=2, max_images=9))
    return make_page(place)


def labels_of(text):
    return [part.partition("<")[0] for part in text.split('<th scope="row">')[1:]]


def test_the_worst_labels_come_first_and_the_others_are_in_a_part_to_open(page):
    visible, _, rest = page.partition('<details id="every-label">')
    assert labels_of(visible)[:6] == [f"label {number:02d}" for number in range(6)]
    assert len(labels_of(visible)) == WORST_LABELS
    every = labels_of(rest.partition("</details>")[0])
    assert len(every) == LABELS
    assert every[-1] == f"label {LABELS - 1}"
    assert "39 of 40 labels have fewer accepted images" in page


def test_labels_that_got_nothing_are_named(page):
    told = page.partition('id="empty">')[2].partition("</p>")[0]
    named = ", ".join(f"label {number:02d}" for number in range(5))
    assert told == f"Nothing was accepted of 5 labels: {named}."


def test_few_labels_are_all_visible(filled_place):
    page = make_page(filled_place)
    assert "every-label" not in page
    assert labels_of(page) == ["dog", "house"]


@pytest.mark.parametrize("width", [1280, 800, 390])
def test_the_reasons_of_long_labels_fit_on_the_screen(sqlite_place, tmp_path, chromium, width):
    names = [f"{'Donaudampfschifffahrt' * (number % 3)} {number}" for number in range(60)]
    with sqlite_place.sessions.begin() as session:
        run = rows.add_run(session, names)
        for batch in rows.batches_of(session, run)[:4]:
            for key, reason in enumerate(REASONS):
                origin = Origin.EDITED if key % 2 else Origin.GENERATED
                columns = {"origin": origin, "verdict": "rejected", "reason": reason}
                rows.add_candidate(sqlite_place, session, batch, key=f"b0/g{key}", **columns)
    path = tmp_path / "report.html"
    path.write_text(make_page(sqlite_place), encoding="utf-8")
    with chromium.new_context(viewport={"width": width, "height": 700}) as context:
        shown = context.new_page()
        shown.goto(path.as_uri())
        assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth")
        tables = "[...document.querySelectorAll('.labels')].map(one => one.parentElement)"
        assert shown.evaluate(f"{tables}.every(one => one.scrollWidth <= one.clientWidth)")
        assert "60 labels" in shown.locator("p.dim").first.inner_text()


def test_a_click_on_a_column_sorts_its_table(page, tmp_path, chromium):
    path = tmp_path / "report.html"
    path.write_text(page, encoding="utf-8")
    with chromium.new_context(viewport={"width": 360, "height": 700}) as context:
        shown, complaints = context.new_page(), []
        shown.on("pageerror", lambda error: complaints.append(str(error)))
        shown.goto(path.as_uri())
        assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth")
        shown.locator("#every-label summary").click()
        table = shown.locator("#every-label table")
        first = table.locator("tbody tr").first
        table.get_by_role("button", name="accepted", exact=True).click()
        assert first.inner_text().startswith(f"label {LABELS - 1}")
        table.get_by_role("button", name="label", exact=True).click()
        assert first.inner_text().startswith("label 00")
        table.get_by_role("button", name="label", exact=True).click()
        assert first.inner_text().startswith(f"label {LABELS - 1}")
        assert table.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"
        assert complaints == []
