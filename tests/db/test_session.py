import threading
import time

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import func, inspect, select, text

from chatgenimage.db.clock import now
from chatgenimage.db.errors import DatabaseUnavailable
from chatgenimage.db.models import Base, LlmCall, Run
from chatgenimage.db.session import (
    IDLE_S,
    MIGRATIONS,
    connect,
    engine_of,
    find_revision,
    newest_revision,
    reading,
    upgrade,
)
from tests import rows


def url_of(place):
    return engine_of(place.sessions).url.render_as_string(hide_password=False)


def is_in_models(name, kind, _):
    """Return False for the full-text search of captions, which is in no model."""
    return name is None or "caption_text" not in name


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based")
def test_the_migrations_make_exactly_the_tables_of_the_models(place):
    with engine_of(place.sessions).connect() as connection:
        options = {"compare_type": True, "include_name": is_in_models}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []


def test_every_migration_can_be_taken_back_and_made_again(place):
    engine = engine_of(place.sessions)
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
    upgrade(url_of(place))
    assert find_revision(place.sessions) == newest_revision()


def test_calls_of_language_models_outlive_the_migration_of_their_counts(place):
    with place.sessions.begin() as session:
        batch = rows.batch_of(session, rows.add_run(session))
        step = rows.add_steps(session, batch)[0]
        for number, tokens in enumerate((None, 7)):
            session.add(
                LlmCall(
                    run_id=batch.run_id,
                    step_id=step.id,
                    subject_id=number,
                    question="prompts",
                    model="gpt",
                    messages=[],
                    answer="",
                    prompt_tokens=tokens,
                    completion_tokens=tokens,
                    duration_s=1,
                )
            )
    with engine_of(place.sessions).begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.downgrade(config, "0011")
        kept = connection.execute(text("SELECT prompt_tokens FROM llm_call ORDER BY id"))
        assert [row[0] for row in kept] == [0, 7]
    upgrade(url_of(place))
    with place.sessions() as session:
        counts = session.scalars(select(LlmCall.completion_tokens).order_by(LlmCall.id)).all()
        assert counts == [0, 7]


def test_upgrading_twice_changes_nothing(place):
    with place.sessions.begin() as session:
        rows.add_run(session)
    upgrade(url_of(place))
    with place.sessions() as session:
        assert session.scalars(select(Run)).one().mode == "scene"


def test_a_database_knows_its_revision_and_one_without_our_tables_has_none(tmp_path, place):
    assert find_revision(connect(f"sqlite:///{tmp_path / 'new.sqlite3'}")) is None
    assert find_revision(place.sessions) == newest_revision()


def test_sqlite_writes_ahead_and_holds_foreign_keys(sqlite_place):
    with sqlite_place.sessions() as session:
        assert session.scalar(text("PRAGMA journal_mode")) == "wal"
        assert session.scalar(text("PRAGMA foreign_keys")) == 1


def test_the_database_s_clock_is_the_time(place):
    with place.sessions() as session:
        before, told, after = time.time(), now(session), time.time()
    assert before - 0.01 < told < after + 0.01  # SQLite's clock has milliseconds


def test_a_reader_does_not_hold_up_a_writer_and_sees_one_moment(place):
    with reading(place.sessions) as reader:
        assert reader.scalars(select(Run)).all() == []
        writer = threading.Thread(target=_add_a_run, args=(place,))
        writer.start()
        writer.join(timeout=60)
        assert not writer.is_alive()
        assert reader.scalars(select(Run)).all() == []
    with reading(place.sessions) as reader:
        assert len(reader.scalars(select(Run)).all()) == 1


def _add_a_run(place):
    with place.sessions.begin() as session:
        rows.add_run(session)


@pytest.mark.parametrize("url", ["nonsense", "oracle9://x", "mysql+nodriver://x/y"])
def test_a_url_that_cannot_be_used_is_refused_with_an_example(url):
    with pytest.raises(DatabaseUnavailable, match="sqlite:////absolute/path"):
        connect(url)


def test_a_folder_that_is_not_there_says_where_to_look(tmp_path):
    with pytest.raises(DatabaseUnavailable, match="FACTORY_DATABASE_URL"):
        upgrade(f"sqlite:///{tmp_path / 'nowhere' / 'factory.sqlite3'}")
    with pytest.raises(DatabaseUnavailable, match="does not answer"):
        find_revision(connect(f"sqlite:///{tmp_path / 'nowhere' / 'factory.sqlite3'}"))


def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "factory.sqlite3"
    path.write_text("these are not the rows you are looking for" * 50)
    with pytest.raises(DatabaseUnavailable, match="not a database"):
        find_revision(connect(f"sqlite:///{path}"))


@pytest.mark.parametrize(("durable", "synchronous"), [(True, 2), (False, 1)])
def test_a_commit_waits_for_the_disk_unless_told_on_sqlite(sqlite_place, durable, synchronous):
    with connect(url_of(sqlite_place), durable=durable)() as session:
        assert session.scalar(text("PRAGMA synchronous")) == synchronous
        engine = session.get_bind()
    engine.dispose()


@pytest.mark.parametrize("durable", [True, False])
def test_a_commit_waits_for_the_disk_unless_told_on_postgresql(postgres_place, durable):
    with connect(url_of(postgres_place), durable=durable)() as session:
        given = session.scalar(
            text("SELECT source = 'client' FROM pg_settings WHERE name = 'synchronous_commit'")
        )
        assert given is not durable
        engine = session.get_bind()
    engine.dispose()


def test_a_connection_that_was_cut_while_it_rested_is_replaced(postgres_place):
    resting, others = (connect(url_of(postgres_place)) for _ in range(2))
    with resting() as session:
        pid = session.scalar(select(func.pg_backend_pid()))
    with others() as session:
        assert session.scalar(select(func.pg_terminate_backend(pid, 60_000)))
    time.sleep(IDLE_S)
    with resting() as session:
        assert session.scalar(select(func.pg_backend_pid())) != pid
    for sessions in (resting, others):
        engine_of(sessions).dispose()


def test_a_postgresql_database_without_an_encoding_is_used_as_utf8(postgres):
    how = "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    postgres.execute(f"CREATE DATABASE ascii {how}")
    sessions = connect(postgres.url("ascii"))
    with reading(sessions) as session:
        assert session.scalar(text("SELECT 'Z\u00fcrich'")) == "Z\u00fcrich"
    engine_of(sessions).dispose()
