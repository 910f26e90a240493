"""Import of a folder of pictures as a run: copies files to the store and inserts rows."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from chatgenimage.db.images import ImageStore
from chatgenimage.db.models import Batch, Candidate, Label, Run
from chatgenimage.db.runs import find_unfinished
from chatgenimage.db.session import Sessions
from chatgenimage.db.states import Origin, RunState
from chatgenimage.factory.errors import NothingFound
from chatgenimage.factory.image_store import open_images
from chatgenimage.factory.settings.model import Settings
from chatgenimage.factory.settings.run_profile import list_keyed_profiles
from chatgenimage.factory.submission.image_listing import list_pictures
from chatgenimage.factory.submission.image_reader import (
    BadPicture,
    printable_name,
    read_picture,
    without_warnings,
)
from chatgenimage.factory.submission.import_lock import only_one_import
from chatgenimage.factory.submission.submitter import add_run
from chatgenimage.tasks.image_lineage import derive_seed
from chatgenimage.tasks.names import MAX_NAME_LENGTH

ANYTHING = "anything"
"""Title of a run of pictures without labels to look for."""
IMPORTING = "the import of its pictures is not complete; run the same `factory annotate` again"

MOST_THREADS = 8
THUMBNAILS_FOLDER = "thumbnails"
"""In the data folder, written by the gallery."""
PIXELS_AT_ONCE = 32_000_000
"""Sum of the sizes of scaled pictures in memory; very large ones are read by fewer threads."""


@dataclass(frozen=True, slots=True)
class RefusedFile:
    """A file that is left out of the run, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Remark:
    """A picture that is used, and what may be wrong with it."""

    name: str
    remark: str


@dataclass(slots=True)
class ImportResult:
    """Result of an import.

    Attributes:
        found: Number of picture files.
        ignored: Number of other files, by ending.
        skipped: Number of images that the factory itself wrote, by folder.
        known: Number of pictures that an interrupted import had already read.
        added: Number of pictures that are new in the run.
    """

    found: int
    ignored: dict[str, int]
    skipped: dict[str, int] = field(default_factory=dict)
    run_id: int = 0
    known: int = 0
    added: int = 0
    refused: list[RefusedFile] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Stored:
    """A picture in the image store."""

    name: str
    sha256: str
    size_wh: tuple[int, int]
    source_wh: tuple[int, int]
    source_sha256: str
    remark: str | None = None


Outcome = _Stored | RefusedFile
Watch = Callable[[Iterator[Outcome], int], Iterable[Outcome]]


def import_pictures(
    sessions: Sessions,
    settings: Settings,
    folder: Path,
    watch: Watch = lambda outcomes, _total: outcomes,
) -> ImportResult:
    """Write a run for the pictures of a folder, or continue an unfinished import.

    The run is paused until all pictures are read; an interruption loses nothing. Files that cannot
    be used, or have the same pixels as another, are left out and listed in the result. Images that
    the factory wrote (its data folder, its image store, exports) are skipped and counted.

    Args:
        sessions: Sessions of the database.
        settings: Stored with the run; `chain.class_list` has the labels to look for.
        folder: Folder of pictures, searched recursively.
        watch: Wraps the results, given their total number, to show progress.

    Raises:
        NothingFound: If no picture can be used; then nothing was written.
        ImportRuns: If another process is importing the same folder.
    """
    profiles = list_keyed_profiles(settings)
    keys = [_request_key(folder.resolve(), profile) for profile in profiles]
    with only_one_import(settings.data_dir, keys[0], folder):
        return _import(_PictureRun(sessions, settings, keys), settings, folder, watch)


def _import(run: "_PictureRun", settings: Settings, folder: Path, watch: Watch) -> ImportResult:
    """Read the pictures that the run does not have yet, batch by batch, then activate the run."""
    listing = list_pictures(folder, settings.data_dir, _stores(settings))
    result = ImportResult(
        len(listing.names), listing.ignored, listing.skipped, known=len(run.names)
    )
    left = [name for name in listing.names if printable_name(name) not in run.names]
    longest_side_px = settings.chain.longest_side_px
    store = partial(_store, open_images(settings), folder, longest_side_px)
    pool = ThreadPoolExecutor(_threads(longest_side_px))
    try:
        with without_warnings():
            fresh = _sort_out(watch(pool.map(store, left), len(left)), run.shas, result)
            while pictures := list(islice(fresh, settings.chain.batch_size)):
                run.add(pictures)
    finally:
        pool.shutdown(cancel_futures=True)
    if run.run_id is None:
        raise NothingFound(
            f"none of the {result.found} pictures in {folder} can be used: "
            f"{_in_words(result.refused)}."
        )
    run.start()
    result.run_id = run.run_id
    return result


def title_of(labels: Sequence[str]) -> str:
    """Return the label name of a run of pictures: all labels that it looks for."""
    title = ", ".join(labels) or ANYTHING
    return title if len(title) <= MAX_NAME_LENGTH else f"{title[: MAX_NAME_LENGTH - 3]}..."


class _PictureRun:
    """The rows of a run of pictures while it is imported."""

    def __init__(self, sessions: Sessions, settings: Settings, keys: Sequence[str]) -> None:
        self._sessions = sessions
        self._settings = settings
        self._key = keys[0]
        self.run_id: int | None = None
        self.names: dict[str | None, str] = {}
        """Images imported before: hash by file name."""
        with sessions() as session:
            if run := find_unfinished(session, keys):
                self.run_id = run.id
                self.names = dict(_imported_of(session, run.id))
        self.shas = {sha256: name or "" for name, sha256 in self.names.items()}

    def add(self, pictures: Sequence[_Stored]) -> None:
        """Write a batch."""
        with self._sessions.begin() as session:
            run = session.get(Run, self.run_id) if self.run_id else None
            run = run or _add_run(session, self._settings, self._key)
            self.run_id = run.id
            label = session.scalars(select(Label).where(Label.run_id == run.id)).one()
            label.per_label += len(pictures)
            index = session.scalar(select(func.count()).where(Batch.run_id == run.id)) or 0
            batch = Batch(run_id=run.id, label_id=label.id, index=index, size=len(pictures))
            session.add(batch)
            session.flush()
            session.execute(insert(Candidate), list(_rows(run, label, batch, pictures)))

    def start(self) -> None:
        """Activate the run."""
        with self._sessions.begin() as session:
            run = session.get_one(Run, self.run_id)
            run.state, run.pause_reason = RunState.ACTIVE, None


def _store(
    images: ImageStore, folder: Path, longest_side_px: int, name: str
) -> _Stored | RefusedFile:
    """Put a copy of a picture into the store, without its path or metadata."""
    try:
        picture = read_picture(folder, name, longest_side_px)
    except BadPicture as error:
        return RefusedFile(printable_name(name), str(error))
    sha256 = images.put(picture.pixels, {"origin": Origin.IMPORTED})
    height_px, width_px = picture.pixels.shape[:2]
    size_wh, source_wh = (width_px, height_px), picture.source_wh
    return _Stored(
        printable_name(name), sha256, size_wh, source_wh, picture.source_sha256, picture.remark
    )


def _sort_out(
    outcomes: Iterable[_Stored | RefusedFile], shas: dict[str, str], result: ImportResult
) -> Iterator[_Stored]:
    """Yield the new pictures; count them in `result`, and list the refused files there."""
    for outcome in outcomes:
        if isinstance(outcome, RefusedFile):
            result.refused.append(outcome)
        elif outcome.sha256 in shas:
            same = f"has the same pixels as {shas[outcome.sha256]}"
            result.refused.append(RefusedFile(outcome.name, same))
        else:
            shas[outcome.sha256] = outcome.name
            result.added += 1
            if outcome.remark:
                result.remarks.append(Remark(outcome.name, outcome.remark))
            yield outcome


def _add_run(session: Session, settings: Settings, key: str) -> Run:
    run = add_run(session, settings, key, seed=0, state=RunState.PAUSED, pause_reason=IMPORTING)
    name = title_of(settings.chain.class_list)
    session.add(Label(run_id=run.id, name=name, mode=settings.chain.mode, per_label=0))
    session.flush()
    return run


def _rows(
    run: Run, label: Label, batch: Batch, pictures: Sequence[_Stored]
) -> Iterator[dict[str, Any]]:
    """Yield the candidates of a batch of pictures."""
    for index, picture in enumerate(pictures):
        key = f"b{batch.index}/i{index}"
        yield {
            "run_id": run.id,
            "label_id": label.id,
            "batch_id": batch.id,
            "key": key,
            "origin": Origin.IMPORTED,
            "round": 0,
            "seed": derive_seed(run.seed, label.name, key),
            "prompt_text": "",
            "model": {},
            "source_name": picture.name,
            "source_width_px": picture.source_wh[0],
            "source_height_px": picture.source_wh[1],
            "source_sha256": picture.source_sha256,
            "sha256": picture.sha256,
            "width_px": picture.size_wh[0],
            "height_px": picture.size_wh[1],
        }


def _imported_of(session: Session, run_id: int) -> Iterator[tuple[str | None, str]]:
    query = select(Candidate.source_name, Candidate.sha256).where(
        Candidate.run_id == run_id, Candidate.origin == Origin.IMPORTED
    )
    yield from ((name, sha256) for name, sha256 in session.execute(query))


def _stores(settings: Settings) -> list[Path]:
    """Return the folders on this machine that hold only images of the factory."""
    store = settings.resolved_image_store_url().removeprefix("file://")
    return [settings.data_dir / THUMBNAILS_FOLDER] + ([] if "://" in store else [Path(store)])


def _threads(longest_side_px: int) -> int:
    return max(1, min(MOST_THREADS, PIXELS_AT_ONCE // longest_side_px**2))


def _request_key(folder: Path, profile: dict[str, Any]) -> str:
    """Return a hash of the request; it does not reveal the folder's path."""
    text = json.dumps(["pictures", os.fsencode(folder).hex(), profile], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _in_words(refused: Sequence[RefusedFile]) -> str:
    first = refused[0]
    more = f", and {len(refused) - 1} more" if len(refused) > 1 else ""
    return f"{first.name} {first.reason}{more}"
