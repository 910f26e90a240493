import re

import pytest
from starlette.testclient import TestClient

from chatgenimage.factory.gallery.server import build_gallery
from chatgenimage.factory.gallery.wrong_tokens import MOST_WRONG, WINDOW_S, WrongTokens
from chatgenimage.factory.query.store import open_store
from tests import rows

TOKEN = "a token that nobody guesses"
ORIGIN = {"Origin": "http://127.0.0.1"}


@pytest.fixture
def store(family):
    with open_store(family.data_dir) as opened:
        yield opened


@pytest.fixture
def client(store):
    return TestClient(build_gallery(store), "http://127.0.0.1", follow_redirects=False)


@pytest.fixture
def guarded(store):
    return TestClient(
        build_gallery(store, token=TOKEN), "http://box.example", follow_redirects=False
    )


def form_of(client):
    return re.search(r'name="form" value="([^"]+)"', client.get("/candidates/1").text)[1]


def marks_of(family):
    with family.sessions() as session:
        return rows.marks(session)


def test_every_response_has_the_security_headers(client):
    for path in ("/runs", "/static/gallery.css", "/nothing", f"/images/{'0' * 64}.png"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_a_page_loads_nothing_from_other_hosts_and_has_no_inline_script(client):
    for path in ("/runs", "/runs/1", "/candidates", "/candidates/3"):
        page = client.get(path)
        text = page.text
        assert page.status_code == 200
        assert re.findall(r'(?:src|href|action)="(?!/|#)[^"]*"', text) == []
        assert re.findall(r"<script(?! src=)|<style|\sstyle=|\son\w+=", text) == []


def test_an_unknown_host_name_is_refused(client):
    for host in ("evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "[::2]:8484"):
        assert client.get("/runs", headers={"Host": host}).status_code == 400
    for host in ("localhost:8484", "LOCALHOST", "127.0.0.1", "[::1]:8484"):
        assert client.get("/runs", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/images/../factory.sqlite3",
        "/images/%2e%2e%2ffactory.sqlite3",
        "/static/../pages.py",
        "/static/..%2fpages.py",
        "/static/..%5cpages.py",
        "/static/%2fetc/passwd",
        "//etc/passwd",
    ],
)
def test_no_path_of_a_request_reaches_the_disk(client, path):
    assert client.get(path).status_code == 404


def test_an_unknown_hash_is_not_read(client, family):
    stray = family.images.put(_pixels(), {})
    assert client.get(f"/images/{stray}.png").status_code == 404


def test_a_review_is_saved_only_from_the_gallery_s_own_form(client, family):
    good = {"mark": "good", "form": form_of(client)}
    refused = [
        client.post("/candidates/1/mark", data=good, headers={"Origin": "http://evil.example"}),
        client.post("/candidates/1/mark", data=good, headers={"Origin": "null"}),
        client.post("/candidates/1/mark", data=good, headers={"Sec-Fetch-Site": "cross-site"}),
        client.post("/candidates/1/mark", data={"mark": "good"}, headers=ORIGIN),
        client.post("/candidates/1/mark", data=good | {"form": "forged"}, headers=ORIGIN),
    ]
    assert [answer.status_code for answer in refused] == [403] * 5
    assert marks_of(family) == {}
    assert client.post("/candidates/1/mark", data=good, headers=ORIGIN).status_code == 303
    assert marks_of(family) == {1: True}


def test_a_review_redirects_only_within_the_gallery(client):
    fields = {"mark": "none", "form": form_of(client), "search": "//evil.example?label=dog"}
    answer = client.post("/candidates/1/mark", data=fields, headers=ORIGIN)
    assert answer.headers["location"].startswith("/candidates/1")


def test_a_form_that_is_too_big_or_has_unknown_values_is_refused(client, family):
    form = form_of(client)
    for fields, status in (
        ({"mark": "good", "form": form, "search": "x" * 10_000}, 413),
        ({"form": form} | {f"f{index}": "1" for index in range(50)}, 413),
        ({"mark": "perhaps", "form": form}, 400),
    ):
        answer = client.post("/candidates/1/mark", data=fields, headers=ORIGIN)
        assert answer.status_code == status
    assert marks_of(family) == {}


def test_without_the_token_nothing_is_shown(guarded):
    for path in ("/", "/runs", "/candidates/1", f"/images/{'0' * 64}.png"):
        answer = guarded.get(path)
        assert answer.status_code == 401
        assert "dog" not in answer.text
    assert guarded.get("/runs?token=wrong").status_code == 401
    assert guarded.post("/candidates/1/mark", data={"mark": "good"}).status_code == 401


def test_after_the_token_a_cookie_is_enough(guarded):
    answer = guarded.get(f"/candidates?label=dog&token={TOKEN}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/candidates?label=dog")
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert TOKEN not in answer.headers["set-cookie"]
    assert guarded.get("/runs").status_code == 200


@pytest.mark.parametrize("path", ["//evil.example/runs", "/%5Cevil.example/runs", "/%0D%0Ax: y"])
def test_the_token_form_redirects_only_within_the_gallery(guarded, path):
    address = f"http://box.example{path}"
    form = guarded.get(address).text
    assert re.search('action="/(%5C|%0D%0A)?[a-z]', form)
    by_form = guarded.post(address, data={"token": TOKEN})
    guarded.cookies.clear()
    by_address = guarded.get(f"{address}?token={TOKEN}")
    for answer in (by_form, by_address):
        assert answer.status_code == 303
        assert re.fullmatch(r"/(%5C|%0D%0A)?[a-z][^\\\s]*", answer.headers["location"])


def test_the_token_is_entered_in_a_form_and_is_in_no_url(guarded):
    asked = guarded.get("/candidates?label=dog")
    assert 'method="post" action="/candidates?label=dog"' in asked.text
    wrong = guarded.post("/candidates?label=dog", data={"token": "guessed, and rather long"})
    assert (wrong.status_code, "Wrong token" in wrong.text) == (401, True)
    answer = guarded.post("/candidates?label=dog", data={"token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/candidates?label=dog")
    assert guarded.get("/candidates?label=dog").status_code == 200


def test_a_review_without_a_valid_cookie_asks_for_the_token(guarded, family):
    answer = guarded.post("/candidates/1/mark", data={"mark": "good", "form": "old"})
    assert (answer.status_code, 'action="/runs"' in answer.text) == (401, True)
    flood = guarded.post("/runs", content=b"token=" + b"x" * 100_000)
    assert flood.status_code == 401
    assert marks_of(family) == {}


def _pixels():
    from tests.rows import paint

    return paint("white")[0]


def test_a_token_cannot_be_found_by_trying(store):
    gate = build_gallery(store, token=TOKEN)
    clients = [
        TestClient(gate, "http://box.example", follow_redirects=False, client=(host, 1))
        for host in ("192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2")
    ]
    wrong = {"token": "a token that somebody guesses"}
    codes = [clients[0].get("/runs", params=wrong).status_code for _ in range(MOST_WRONG + 2)]
    assert codes == [401] * MOST_WRONG + [429] * 2
    late = clients[0].post("/runs", data={"token": TOKEN})
    assert (late.status_code, int(late.headers["retry-after"]) <= 60) == (429, True)
    assert "too many wrong tokens" in late.text
    assert clients[1].get("/runs", params={"token": TOKEN}).status_code == 303
    codes = [one.get("/runs", params=wrong).status_code for one in clients[2:] * MOST_WRONG]
    assert codes.count(401) == MOST_WRONG  # one machine has many addresses
    assert clients[0].get("/static/gallery.css").status_code == 200


def test_a_person_who_has_the_cookie_is_not_kept_out(guarded):
    guarded.get("/runs", params={"token": TOKEN})
    for _ in range(MOST_WRONG + 1):
        assert guarded.get("/runs", params={"token": "wrong"}).status_code == 200


def test_wrong_tokens_are_forgotten_after_a_minute():
    now = 0.0
    wrong = WrongTokens(lambda: now)
    for _ in range(MOST_WRONG):
        assert wrong.wait_s("a") == 0
        wrong.add("a")
    assert wrong.wait_s("a") == WINDOW_S
    now = WINDOW_S
    assert wrong.wait_s("a") == 0
