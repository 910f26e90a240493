"""Places of a call: profile, data folder and database, as the commands take them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from typing_extensions import TypedDict  # of Python 3.12, as pydantic needs it

from chatgenimage.db.errors import StoreError
from chatgenimage.factory.commands import PlaceChoice, complete, remembering, use_places
from chatgenimage.factory.errors import FactoryError
from chatgenimage.factory.query.store import Store, open_store
from chatgenimage.factory.settings.arguments import PathText, Place
from chatgenimage.factory.settings.model import Settings, load_settings
from chatgenimage.workers.errors import WorkerError

EXPECTED = (FactoryError, StoreError, WorkerError)
"""Bases of the errors that a person can fix; each message says what to do next."""


class Places(TypedDict, total=False):
    """Keywords for what a call works on; None or left out: the environment decides.

    profile: Name of a profile in configs/, or a path.
    data_dir: Folder of the database and the images.
    database_url: SQLAlchemy URL.
    """

    profile: PathText | None
    data_dir: Place | None
    database_url: str | None


PLACE_KEYS = frozenset(Places.__annotations__)


def settings_at(place: PlaceChoice, **overrides: Any) -> Settings:  # noqa: ANN401  # any field
    """Return the settings at a place; see `factory.settings.model.load_settings`."""
    where = {"data_dir": place.data_dir, "database_url": place.database_url}
    return load_settings(place.profile, **where, **overrides)


def store_at(place: PlaceChoice) -> Store:
    """Return the store at a place; see `factory.query.store.open_store`."""
    return open_store(place.data_dir, profile=place.profile, database_url=place.database_url)


@contextmanager
def at(places: Places) -> Iterator[PlaceChoice]:
    """Yield the place of a call; commands in messages and errors get its options meanwhile."""
    data_dir = places.get("data_dir")
    place = PlaceChoice(
        places.get("profile"),
        None if data_dir is None else Path(data_dir),
        places.get("database_url"),
    )
    with remembering():
        use_places(place)
        try:
            yield place
        except EXPECTED as error:
            error.args = (complete(str(error)), *error.args[1:])
            raise


def places_of(options: Mapping[str, Any]) -> Places:
    """Return the keywords of `Places` among the keywords of a call."""
    return cast("Places", {key: value for key, value in options.items() if key in PLACE_KEYS})
