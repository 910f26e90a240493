"""Errors of SQLite, raised by SQLite itself, and the advice for each."""

from contextlib import closing

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from chatgenimage.db.error_messages import explain, unavailable
from chatgenimage.db.errors import DatabaseAway

MANY_PAGES = "INSERT INTO word VALUES (zeroblob(1000000))"


def refused(path, *statements):
    """Return the error that SQLite raises for one of the statements."""
    with pytest.raises(DBAPIError) as caught:
        execute(path, *statements)
    return caught.value


def execute(path, *statements):
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 0.01})
    with closing(engine.connect()) as connection:
        for statement in statements:
            connection.execute(text(statement))
            connection.commit()
    engine.dispose()


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "factory.sqlite3"
    execute(path, "CREATE TABLE word (text)", MANY_PAGES)
    return path


@pytest.mark.parametrize(
    ("statements", "remedy"),
    [
        pytest.param(["PRAGMA query_only = ON", MANY_PAGES], "write permission", id="read-only"),
        pytest.param(["PRAGMA max_page_count = 1", MANY_PAGES], "Free some disk space", id="full"),
        pytest.param(["SELECT nonsense"], "the URL is right", id="anything else"),
    ],
)
def test_what_a_statement_meets_is_told_with_a_remedy(path, statements, remedy):
    assert remedy in explain(refused(path, *statements))


def test_what_a_file_is_not_is_told_with_a_remedy(path):
    path.write_bytes(b"dear reader, " * 1000)
    assert "Name a file that the factory wrote" in explain(refused(path, "SELECT * FROM word"))


def test_a_damaged_file_is_told_with_a_remedy(path):
    content = bytearray(path.read_bytes())
    content[4096:8192] = b"\xff" * 4096
    path.write_bytes(content)
    assert "Restore it from a backup" in explain(refused(path, "SELECT * FROM word"))


def test_a_folder_that_is_not_there_is_worth_waiting_for(tmp_path):
    error = unavailable("sqlite:///x", refused(tmp_path / "nowhere" / "x", "SELECT 1"))
    assert isinstance(error, DatabaseAway)
    assert "Check the path" in str(error)


def test_a_writer_that_takes_long_is_told_with_a_remedy(path):
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as writer:
        writer.exec_driver_sql("BEGIN EXCLUSIVE")
        assert "try again" in explain(refused(path, "SELECT * FROM word"))
    engine.dispose()
