"""Concurrent upgrades of an empty database by several containers: each waits for the others."""

import contextlib
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from chatgenimage.db.session import connect, engine_of, find_revision, newest_revision, upgrade

ROOT = Path(__file__).parents[2]
CONTAINERS = 4
PROGRAM = """
import sys, alembic.command
from chatgenimage.db.session import upgrade
print("ready", flush=True)
sys.stdin.readline()
upgrade(sys.argv[1])
"""
DATABASE = "upgraded_at_once"


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request, tmp_path):
    """A database of each kind without any table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'factory.sqlite3'}"
        return
    server = request.getfixturevalue("postgres")
    server.execute(f"CREATE DATABASE {DATABASE}")
    yield server.url(DATABASE)
    server.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")


def start(url):
    command = [sys.executable, "-c", PROGRAM, url]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=ROOT)


@pytest.mark.processes
def test_all_of_them_succeed_and_the_schema_is_made_once(empty_url):
    starters = [start(empty_url) for _ in range(CONTAINERS)]
    for each in starters:
        assert each.stdout.readline() == "ready\n"
    for each in starters:
        each.stdin.write("go\n")
        each.stdin.flush()
    told = [each.communicate()[1] for each in starters]
    assert told == [""] * CONTAINERS
    engine = engine_of(connect(empty_url))
    with engine.connect() as connection:
        heads = connection.scalars(text("SELECT version_num FROM alembic_version")).all()
    engine.dispose()
    assert heads == [newest_revision()]


def test_a_new_file_that_another_writes_to_at_this_moment_is_waited_for(tmp_path):
    """SQLite itself waits for a lock, but not while it changes its journal mode."""
    path = tmp_path / "factory.sqlite3"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        upgrading = threading.Thread(target=upgrade, args=(f"sqlite:///{path}",))
        upgrading.start()
        upgrading.join(timeout=0.5)
        assert upgrading.is_alive()
        other.execute("ROLLBACK")
    upgrading.join(timeout=60)
    sessions = connect(f"sqlite:///{path}")
    assert find_revision(sessions) == newest_revision()
    engine_of(sessions).dispose()
