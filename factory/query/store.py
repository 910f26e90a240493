"""The Python API: `from chatgenimage import open_store` opens the results of runs."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self, Unpack

from sqlalchemy import make_url

from chatgenimage.db import queries, runs
from chatgenimage.db.addresses import show_address
from chatgenimage.db.images import ImageStore
from chatgenimage.db.queries import CandidateFilter
from chatgenimage.db.ranking import Ranking, iter_ranked
from chatgenimage.db.runs import RunSummary
from chatgenimage.db.session import (
    Sessions,
    connect,
    engine_of,
    find_revision,
    newest_revision,
    reading,
)
from chatgenimage.factory.database import describe_schema
from chatgenimage.factory.errors import NoDatabase
from chatgenimage.factory.image_store import open_images
from chatgenimage.factory.query.filters import (
    Filters,
    check_stored_names,
    make_filter,
    parse_order,
)
from chatgenimage.factory.query.pictures import SHOWN_PICTURES, Pictures
from chatgenimage.factory.query.rows import CandidateRow
from chatgenimage.factory.settings.arguments import Id, PathText, Place, checked
from chatgenimage.factory.settings.model import Settings, load_settings
from chatgenimage.workers.values import RgbImage

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

EVERY_RUN = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Store:
    """The rows and images of a data folder or database, for reading.

    with open_store("data") as store:
        for row in store.candidates(label="dog", verdict="accepted"):
            print(row.caption, row.scores["clip_similarity"], row.image)
    """

    settings: Settings
    sessions: Sessions
    images: ImageStore

    def __enter__(self) -> Self:
        """Return the store."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close its connections."""
        engine_of(self.sessions).dispose()

    def runs(self) -> list[RunSummary]:
        """Return every run in a line, newest first."""
        with reading(self.sessions) as session:
            return runs.list_runs(session, limit=EVERY_RUN)

    def candidates(
        self, *, sort: str | None = None, **filters: Unpack[Filters]
    ) -> Iterator[CandidateRow]:
        """Return candidates; a page of them is in memory at a time.

        Args:
            sort: A name of `ORDERS` in `factory.query.filters`, e.g. `id`, `objects` or a score,
                the smallest first, or with `:desc` behind it the greatest; None: by run, label
                and key.
            filters: See `factory.query.filters.Filters`.

        Raises:
            RowNotFound: If there is no such run.
            UnknownKeyword: If a keyword does not exist.
            UnknownName: If a label, verdict, origin, reason, score, review or order does not
                exist; all are raised by the call itself, before the first row.
        """
        return self.iter_rows(self._check(**filters), parse_order(sort))

    def count(self, **filters: Unpack[Filters]) -> int:
        """Return how many candidates there are; raises the same."""
        wanted = self._check(**filters)
        with reading(self.sessions) as session:
            return queries.count_candidates(session, wanted)

    def iter_rows(
        self, wanted: CandidateFilter, order: Ranking | None = None
    ) -> Iterator[CandidateRow]:
        """Yield the candidates of a filter that was checked; None: by run, label and key."""
        with reading(self.sessions) as session:
            found = (
                queries.iter_candidates(session, wanted)
                if order is None
                else iter_ranked(session, wanted, order)
            )
            for candidate in found:
                yield CandidateRow.of(candidate, self.images)

    def _check(self, **filters: Unpack[Filters]) -> CandidateFilter:
        wanted = make_filter(**filters)
        with reading(self.sessions) as session:
            check_stored_names(session, wanted)
        return wanted

    @checked
    def get(self, candidate_id: Id) -> CandidateRow:
        """Return one candidate.

        Raises:
            RowNotFound: If there is no such candidate.
        """
        with reading(self.sessions) as session:
            detail = queries.get_candidate(session, candidate_id)
            return CandidateRow.of(detail.candidate, self.images)

    def pixels(self, row: CandidateRow) -> RgbImage:
        """Return the candidate's image, (H, W, 3) uint8 RGB.

        Raises:
            ImageMissing: If its file is gone.
            ImageBroken: If its file is damaged.
        """
        return row.pixels()

    def pictures(self, **filters: Unpack[Filters]) -> Pictures:
        """Return the first candidates, 24 without `limit`; a notebook shows them as pictures.

        Raises the same as `candidates`.
        """
        first, all_of_them = filters.copy(), filters.copy()
        first.setdefault("limit", SHOWN_PICTURES)
        all_of_them["limit"] = None
        return Pictures(tuple(self.candidates(**first)), self.count(**all_of_them))

    def to_arrow(self, **filters: Unpack[Filters]) -> "pa.Table":
        """Return candidates as an Arrow table, with a column per score and a list of objects.

        Raises:
            LibraryMissing: If pyarrow is not installed.
        """
        from chatgenimage.factory.query.arrow import to_table

        return to_table(self.candidates(**filters))

    def to_pandas(self, **filters: Unpack[Filters]) -> "pd.DataFrame":
        """Return the same as a data frame.

        Raises:
            LibraryMissing: If pyarrow or pandas is not installed.
        """
        from chatgenimage.factory.query.arrow import to_frame

        return to_frame(self.candidates(**filters))


@checked
def open_store(
    data_dir: Place | None = None,
    *,
    profile: PathText | None = None,
    database_url: str | None = None,
) -> Store:
    """Return the rows and images that runs left in a data folder or a database.

    Args:
        data_dir: Folder of everything that is kept; None: as the settings say.
        profile: A profile in configs/, or a path.
        database_url: SQLAlchemy URL; None: SQLite in the data folder.

    Raises:
        NoDatabase: If nothing was ever written there, or by another version.
    """
    folder = None if data_dir is None else Path(data_dir)
    settings = load_settings(profile, data_dir=folder, database_url=database_url)
    sessions = connect(settings.resolved_database_url())
    url = make_url(settings.resolved_database_url())
    shown = show_address(settings.resolved_database_url())
    is_missing = url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file()
    revision = None if is_missing else find_revision(sessions)
    if revision is None:
        place = url.database if is_missing else shown
        raise NoDatabase(f"no database at {place or shown}; start with `factory run dog house`.")
    if revision != newest_revision():
        raise NoDatabase(f"the database at {shown} {describe_schema(revision)}.")
    return Store(settings, sessions, open_images(settings))
