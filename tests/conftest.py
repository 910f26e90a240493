import logging
import os
import shutil
import sqlite3

import pytest
import structlog
from sqlalchemy import Engine, event

from chatgenimage.db.models import Base
from chatgenimage.db.session import connect, engine_of, upgrade
from tests import external, rows, s3, tiers
from tests.postgres import PostgresServer

DATABASE = "migrated"
EMPTY_ALL_TABLES = "".join(
    [
        "SET lock_timeout = '60s'; SET session_replication_role = replica;",  # no key is checked
        *(f'DELETE FROM "{table}";' for table in Base.metadata.tables),  # noqa: S608  # ours
        *(f"ALTER SEQUENCE IF EXISTS {table}_id_seq RESTART;" for table in Base.metadata.tables),
    ]
)
"""Five times quicker than a fresh copy of a database, or TRUNCATE."""
BROWSER_MS = 60_000
"""A page on a busy machine is waited for this long; playwright's own limit is 5 s."""


os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is imported, here and in children

WATCH = tiers.Watch()


@event.listens_for(Engine, "connect")
def _reverse_unordered_rows(connection, _):
    """Make SQLite return rows backwards where no order is asked for: nothing may depend on it."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA reverse_unordered_selects = ON")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items):
    tiers.add_marks(items)
    yield  # some are deselected, the rest is shuffled
    tiers.put_longest_first(items)


def pytest_ignore_collect(collection_path, config):
    return tiers.is_of_another_tier(collection_path, config.option.markexpr) or None


def pytest_terminal_summary(terminalreporter):
    skipped = external.count_skipped(terminalreporter.stats.get("skipped", ()))
    if skipped:
        terminalreporter.section("skipped")
    for reason, count in skipped:
        terminalreporter.write_line(f"{count:4} {reason}")


@pytest.fixture(autouse=True)
def _stays_in_its_tier(request):
    """A fast test starts no process and imports no model library."""
    if not request.node.get_closest_marker(tiers.FAST):
        yield
        return
    WATCH.begin()
    yield
    assert WATCH.end() == []


@pytest.fixture(autouse=True)
def _logs_as_at_the_start():
    """A command that runs in the process of the tests sets the level and the place of its log."""
    root = logging.getLogger()
    handlers, level = set(root.handlers), root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = [handler for handler in root.handlers if handler in handlers]
    root.setLevel(level)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory):
    """A folder with a database fresh from the migrations, which take longer than most tests."""
    folder = tmp_path_factory.mktemp("migrated")
    rows.make_database(folder)
    return folder


@pytest.fixture
def sqlite_place(migrated, tmp_path):
    """A migrated SQLite database and an empty image store in a temporary folder."""
    shutil.copytree(migrated, tmp_path, dirs_exist_ok=True)
    place = rows.open_place(tmp_path)
    yield place
    engine_of(place.sessions).dispose()


@pytest.fixture
def place(sqlite_place):
    """Where most tests work; those of the rows themselves do so on PostgreSQL too."""
    return sqlite_place


@pytest.fixture(scope="session")
def postgres():
    """A running PostgreSQL server."""
    server = PostgresServer(external.POSTGRES.require())
    server.start()
    yield server
    server.stop()
    server.remove()


@pytest.fixture(scope="session")
def postgres_database(postgres):
    """The name of a migrated database; who used it empties it."""
    postgres.execute(f"CREATE DATABASE {DATABASE}")
    upgrade(postgres.url(DATABASE))
    return DATABASE


@pytest.fixture
def postgres_place(postgres, postgres_database, tmp_path):
    """A migrated PostgreSQL database without rows and an empty image store."""
    sessions = connect(postgres.url(postgres_database))
    yield rows.Place(tmp_path, sessions, rows.image_store(tmp_path))
    engine_of(sessions).dispose()
    postgres.execute(EMPTY_ALL_TABLES, postgres_database)


@pytest.fixture(scope="session")
def running_s3(tmp_path_factory):
    """A running S3 server with an empty bucket."""
    server = s3.S3Server(external.S3.require(), tmp_path_factory.mktemp("s3"))
    yield server
    server.stop()


@pytest.fixture
def s3_keys(monkeypatch):
    """The keys of the S3 server, as an operator gives them: by the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.SECRET)
    return monkeypatch


@pytest.fixture
def s3_server(running_s3, s3_keys):
    """A running S3 server that is empty again afterwards, and its keys."""
    yield running_s3
    running_s3.empty()


@pytest.fixture(scope="session")
def chromium():
    """A browser for all tests: playwright allows one at a time."""
    program = external.CHROMIUM.require()
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=BROWSER_MS)
    arguments = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()
