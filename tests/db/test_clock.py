"""The clock of the database: wall clocks of processes do not matter on SQLite."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import select, update

from chatgenimage.db import clock
from chatgenimage.db.clock import boot_id, measure_difference_s, now, up_s
from chatgenimage.db.models import Batch, Boot
from chatgenimage.db.session import connect, engine_of, upgrade
from tests.db.test_dispatching import add_batches, queue_lengths, tick
from tests.wall_clock import COMPILER, WallClock

ROOT = Path(__file__).parents[2]
TEN_MINUTES_S = 600
HOUR_S = 3600
ASK = """
import sys
from chatgenimage.db.clock import measure_difference_s, now
from chatgenimage.db.session import connect
with connect(sys.argv[1])() as session:
    print(now(session), measure_difference_s(session))
"""


def ask_with_clock(url, wall_clock):
    """Return the database's clock and its difference, for a process whose wall clock is off."""
    done = subprocess.run(
        [sys.executable, "-c", ASK, url],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, **wall_clock.environment},
    )
    return map(float, done.stdout.split())


@pytest.mark.processes
@pytest.mark.skipif(COMPILER is None, reason="no C compiler")
@pytest.mark.parametrize("offset_s", [TEN_MINUTES_S, -TEN_MINUTES_S])
def test_processes_with_different_clocks_have_one_time_on_sqlite(sqlite_place, tmp_path, offset_s):
    url = str(engine_of(sqlite_place.sessions).url)
    found, difference_s = ask_with_clock(url, WallClock(tmp_path, offset_s))
    assert abs(found - time.time()) < 60
    assert abs(difference_s + offset_s) < 60


def test_another_boot_starts_at_the_wall_clock(sqlite_place):
    forget_this_boot(sqlite_place)
    sessions = restart(sqlite_place)
    with sessions() as session:
        assert abs(now(session) - time.time()) < 60
        assert session.scalar(select(Boot.booted_at).where(Boot.boot == boot_id())) < time.time()
    engine_of(sessions).dispose()


def test_time_never_runs_backwards_from_one_boot_to_the_next(sqlite_place):
    [batch_id] = add_batches(sqlite_place, 1)
    rung_at = time.time() + HOUR_S  # the earlier boot's clock was an hour ahead
    with sqlite_place.sessions.begin() as session:
        session.execute(update(Batch).where(Batch.id == batch_id).values(rung_at=rung_at))
    forget_this_boot(sqlite_place)
    sessions = restart(sqlite_place)
    with sessions() as session:
        assert now(session) >= rung_at
        assert measure_difference_s(session) > HOUR_S - 60
    engine_of(sessions).dispose()


def test_the_first_process_of_a_boot_decides_and_time_runs_on(sqlite_place):
    with sqlite_place.sessions.begin() as session:
        session.execute(update(Boot).values(booted_at=1000.0))
    sessions = restart(sqlite_place)
    with sessions() as session:
        before = up_s()
        assert 1000.0 + before <= now(session) <= 1000.0 + up_s()
        assert session.scalars(select(Boot.boot)).all() == [boot_id()]
    engine_of(sessions).dispose()


def test_without_a_boot_id_the_wall_clock_is_used(sqlite_place, monkeypatch):
    monkeypatch.setattr(clock, "boot_id", lambda: clock.NO_BOOT)
    sessions = restart(sqlite_place)
    with sessions() as session:
        assert abs(now(session) - time.time()) < 60
    engine_of(sessions).dispose()


def test_a_message_from_the_future_is_sent_again(place):
    batch_ids = add_batches(place, 1)
    assert tick(place) == batch_ids
    with place.sessions.begin() as session:
        session.execute(update(Batch).values(rung_at=time.time() + HOUR_S))
    assert tick(place, stale_s=100, waiting=queue_lengths(place)) == []  # it is in its queue
    assert tick(place, stale_s=100) == batch_ids  # the broker lost it


def forget_this_boot(place):
    """Leave the database as an earlier boot left it, which began ten minutes before this one."""
    with place.sessions.begin() as session:
        session.execute(
            update(Boot).values(boot="earlier", booted_at=Boot.booted_at - TEN_MINUTES_S)
        )


def restart(place):
    """Return sessions as the first process of a boot opens them."""
    url = str(engine_of(place.sessions).url)
    upgrade(url)
    return connect(url)
