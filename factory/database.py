"""Open the database: as it is, or for writing with its folder and the newest schema."""

from collections.abc import Iterator
from contextlib import contextmanager

from chatgenimage.db.private_files import PRIVATE_FOLDER
from chatgenimage.db.session import Sessions, connect, engine_of, newest_revision, upgrade
from chatgenimage.factory.errors import CannotWrite
from chatgenimage.factory.settings.model import Settings


def open_database(settings: Settings, *, patience_s: float | None = None) -> Sessions:
    """Return sessions of a database that answers and has the newest schema.

    Args:
        settings: Which database.
        patience_s: As `db.session.connect` takes it, for processes that others wait for.

    Raises:
        CannotWrite: If the data folder cannot be created.
        DatabaseUnavailable: If the database does not answer.
    """
    try:
        settings.data_dir.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(
            f"cannot create the data folder {settings.data_dir}: {error.strerror}. Name another: "
            "--data-dir or FACTORY_DATA_DIR."
        ) from error
    upgrade(settings.resolved_database_url())
    return connect(settings.resolved_database_url(), patience_s=patience_s)


def describe_schema(found: str) -> str:
    """Return how a database schema differs from this version's, and what to do."""
    newest = newest_revision()
    is_newer = found > newest
    remedy = (
        "use the version that wrote it" if is_newer else "`factory migrate` brings it up to date"
    )
    return f"has schema {found}, this version has {newest}: {remedy}"


@contextmanager
def connected(settings: Settings) -> Iterator[Sessions]:
    """Yield the database as it is; its connections are closed at the end."""
    sessions = connect(settings.resolved_database_url())
    try:
        yield sessions
    finally:
        engine_of(sessions).dispose()
