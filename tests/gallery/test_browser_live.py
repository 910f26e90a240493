import re
import time

from playwright.sync_api import expect

from chatgenimage.db.models import Run
from tests import rows
from tests.gallery.conftest import WAIT_S, served


def test_an_active_run_is_refreshed_until_it_is_done(open_page, sqlite_place):
    with sqlite_place.sessions.begin() as session:
        run_id = rows.add_run(session, ["dog"]).id
        batch = rows.batch_of(session, session.get(Run, run_id))
        steps = rows.add_steps(session, batch, rows.SCENE_CHAIN, done=1)
        rows.add_item(session, steps[0], batch.id)
        item = rows.add_item(session, steps[1], 1, state="ready")
    with served(sqlite_place.data_dir) as address:
        page = open_page()
        page.goto(f"{address}/runs/{run_id}")
        name = page.get_by_role("rowheader", name="generate", exact=True)
        generate = page.get_by_role("row").filter(has=name)
        expect(generate).to_contain_text("0/1")
        with sqlite_place.sessions.begin() as session:
            session.merge(item).state = "done"
            rows.add_family(sqlite_place, session, session.merge(batch))
        expect(generate).to_contain_text("1/1")
        expect(page.locator(".facts")).to_contain_text("candidates3")
        expect(page.locator("#live img")).to_have_count(3)
        with sqlite_place.sessions.begin() as session:
            session.get(Run, run_id).state = "done"
        expect(page.get_by_role("heading", name="Remaining after each step")).to_be_visible()
        expect(page.get_by_role("heading", name="Progress")).to_have_count(0)
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.wait_for_timeout(3500)  # longer than the page's refresh interval
        assert not [url for url in asked if "/runs/" in url]  # images may still be loading


def test_an_active_run_shows_its_time_left_once_every_step_was_seen(open_page, sqlite_place):
    with sqlite_place.sessions.begin() as session:
        run = rows.add_run(session, ["dog", "house"])
        first, second = rows.batches_of(session, run)
        for step in rows.add_steps(session, first, done=len(rows.CHAIN)):
            rows.add_item(session, step, 1).duration_s = 60.0
        steps = rows.add_steps(session, second, done=1)
        rows.add_item(session, steps[0], 1).duration_s = 60.0
    with served(sqlite_place.data_dir) as address:
        page = open_page()
        page.goto(f"{address}/runs/1")
        expect(page.locator(".facts")).to_contain_text("left, about—")
        with sqlite_place.sessions.begin() as session:
            session.merge(steps[1]).state = "done"
            rows.add_item(session, session.merge(steps[1]), 1).duration_s = 60.0
        told = re.compile(r"left, about\d+ s")
        expect(page.locator(".facts")).to_contain_text(told)
        page.close()  # it asks the server for news


def test_more_candidates_load_while_scrolling(open_page, sqlite_place):
    with sqlite_place.sessions.begin() as session:
        batch = rows.batch_of(session, rows.add_run(session, ["dog"], state="done"))
        for index in range(130):
            rows.add_candidate(sqlite_place, session, batch, key=f"b0/g{index:03}")
    with served(sqlite_place.data_dir) as address:
        page = open_page()
        page.goto(f"{address}/candidates")
        expect(page.get_by_role("heading", name="130 candidates")).to_be_visible()
        until = time.monotonic() + WAIT_S
        while page.locator(".card").count() < 130 and time.monotonic() < until:
            page.mouse.wheel(0, 3000)
            page.wait_for_timeout(100)
        expect(page.locator(".card")).to_have_count(130)
        hrefs = page.locator(".card a").evaluate_all("all => all.map(one => one.href)")
        assert len(set(hrefs)) == 130
        page.evaluate("scrollTo(0, 1500)")
        show = page.get_by_role("button", name="Show")
        show.scroll_into_view_if_needed()
        expect(show).to_be_in_viewport()
        assert page.evaluate("scrollY") == 1500  # the filters scroll separately


def test_without_scripts_a_link_leads_to_the_next_page(open_page, sqlite_place):
    with sqlite_place.sessions.begin() as session:
        batch = rows.batch_of(session, rows.add_run(session, ["dog"], state="done"))
        for index in range(70):
            rows.add_candidate(sqlite_place, session, batch, key=f"b0/g{index:03}")
    with served(sqlite_place.data_dir) as address:
        page = open_page(java_script_enabled=False)
        page.goto(f"{address}/candidates?label=dog")
        page.get_by_role("link", name="More").click()
        expect(page.locator(".card")).to_have_count(10)
        page.locator(".card a").first.click()
        page.get_by_role("button", name="Good").click()
        expect(page.get_by_role("status")).to_contain_text("is reviewed as good")
